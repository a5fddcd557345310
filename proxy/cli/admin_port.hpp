// AdminPort: the admin port of a program that runs, as the commands ask it: where it is, how it is
// spoken to, and what its answers hold. Private to this folder. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "policies/json.hpp"
#include "proxy/admin/client.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::cli {

/// What every command that asks the admin port takes.
struct AdminArguments {
  /// host:port or unix:/path.
  std::string admin = "127.0.0.1:9901";
  /// A file with the admin port's bearer token; empty: none is sent.
  std::string token_file;
  /// Whom the admin port's certificate is trusted from, a file or `system`; empty: plain HTTP.
  std::string ca;
  /// What that certificate is for; empty: the host of `admin`.
  std::string server_name;
  /// Files with a certificate to show, and its key; both or neither.
  std::string certificate;
  std::string key;
  bool json = false;
};

/// Adds the options of reaching the port, all but --format. `arguments` must outlive the parsing.
void add_port_options(CLI::App& command, AdminArguments& arguments);

/// Adds all of them, and what runs the command. `arguments` must outlive the parsing; `run` is
/// called when the command was given and leaves its exit code in `exit_code`, which must outlive it
/// too.
void add_admin_options(CLI::App& command, AdminArguments& arguments, int& exit_code,
                       std::function<int()> run);

/// The reason why a command ends, and its exit code. If the reason is empty, it was already
/// printed.
struct Ending {
  int code;
  std::string why;
};

class AdminPort {
 public:
  /// Reads what the arguments name; asks nothing yet.
  static tl::expected<AdminPort, Ending> open(const AdminArguments& arguments);

  /// The timeout of each request; 30 s by default.
  void patience(std::chrono::milliseconds patience) { patience_ = patience; }

  /// Whatever the port answers; no answer ends the command.
  tl::expected<admin::ClientResponse, Ending> send(const std::string& method,
                                                   const std::string& target,
                                                   std::string body = {}) const;
  /// The body of a 200; everything else ends the command.
  tl::expected<std::string, Ending> ask(const std::string& method, const std::string& target,
                                        std::string body = {}) const;

  using Item = std::function<void(const policies::JsonTree& tree, policies::JsonTree::Index item)>;
  /// Asks for a list, page after page; each is handed on before the next is asked for. `arguments`
  /// are made by argument(). `items_max`: 0 is all. True: there are more.
  tl::expected<bool, Ending> list(const std::string& path, const std::string& arguments,
                                  std::size_t items_max, const Item& item) const;

 private:
  AdminPort() = default;

  io::Endpoint endpoint_;
  std::string token_;
  std::shared_ptr<const tls::ClientContext> tls_;
  std::chrono::milliseconds patience_{30'000};
};

/// `&name=value`, encoded; nothing if the value is empty.
std::string argument(const std::string& name, const std::string& value);

/// Says why a command ended, if it did not end well; returns its exit code.
int finish(const tl::expected<void, Ending>& ended, const Streams& streams);

}  // namespace onceproxy::cli
