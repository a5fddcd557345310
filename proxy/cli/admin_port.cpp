#include "proxy/cli/admin_port.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ostream>
#include <utility>

#include "config/scalars.hpp"
#include "policies/percent.hpp"
#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

/// What one page holds at most.
constexpr std::size_t page_max = 1'000;

tl::expected<std::shared_ptr<const tls::ClientContext>, Ending> read_tls(
    const AdminArguments& given, const io::Endpoint& endpoint) {
  const bool any = !given.certificate.empty() || !given.key.empty() || !given.server_name.empty();
  if (given.ca.empty()) {
    if (!any) return nullptr;
    return tl::unexpected(Ending{exit_bad, "TLS needs --ca FILE or --ca system"});
  }
  if (given.certificate.empty() != given.key.empty()) {
    return tl::unexpected(Ending{exit_bad, "--certificate and --key belong together"});
  }
  tls::ClientOptions options{given.ca, given.server_name, given.certificate, given.key};
  if (options.server_name.empty()) options.server_name = endpoint.host;
  if (options.server_name.empty()) {
    return tl::unexpected(Ending{exit_bad, "a unix socket has no name: give --server-name"});
  }
  const tls::Credentials read = tls::read_credentials(options, std::chrono::system_clock::now());
  if (!read.usable()) return tl::unexpected(Ending{exit_unreadable, "--" + read.complaint()});
  auto context = tls::ClientContext::make(options, read);
  if (!context) return tl::unexpected(Ending{exit_unreadable, context.error()});
  return *std::move(context);
}

/// What the admin port says is wrong; or its status, if it says nothing.
std::string complaint(const admin::ClientResponse& response) {
  const auto tree = JsonTree::parse(response.body);
  const JsonTree::Index* error = nullptr;
  if (tree && tree->kind(0) == JsonTree::Kind::object) error = tree->member(0, "error");
  const bool told = error != nullptr && tree->kind(*error) == JsonTree::Kind::string;
  return told ? std::string(tree->text(*error))
              : "the admin port answered " + std::to_string(response.status);
}

}  // namespace

void add_port_options(CLI::App& command, AdminArguments& arguments) {
  command.add_option("--admin", arguments.admin,
                     "The admin port: host:port or unix:/path (default 127.0.0.1:9901)");
  command.add_option("--token-file", arguments.token_file,
                     "A file with the admin port's bearer token");
  command.add_option("--ca", arguments.ca,
                     "Use TLS, and trust the authorities in this file, or `system`");
  command.add_option("--server-name", arguments.server_name,
                     "The name in the admin port's certificate (default the host of --admin)");
  command.add_option("--certificate", arguments.certificate,
                     "A file with the certificate to present if the port asks for one");
  command.add_option("--key", arguments.key, "A file with that certificate's private key");
}

void add_admin_options(CLI::App& command, AdminArguments& arguments, int& exit_code,
                       std::function<int()> run) {
  add_port_options(command, arguments);
  const auto format = std::make_shared<std::string>("text");
  command.add_option("--format", *format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  command.footer(
      "Exit code 0: done; 1: refused (not found, not possible in this state, or an invalid "
      "argument);\n2: the admin port or a file cannot be reached.");
  command.callback([&arguments, &exit_code, format, run = std::move(run)] {
    arguments.json = *format == "json";
    exit_code = run();
  });
}

tl::expected<AdminPort, Ending> AdminPort::open(const AdminArguments& arguments) {
  const auto address = config::parse_address(arguments.admin);
  if (!address) return tl::unexpected(Ending{exit_bad, "--admin: " + address.error()});
  AdminPort port;
  port.endpoint_ = {address->host, address->port, address->unix_path};
  auto tls = read_tls(arguments, port.endpoint_);
  if (!tls) return tl::unexpected(tls.error());
  port.tls_ = *std::move(tls);
  if (arguments.token_file.empty()) return port;
  auto token = read_file(arguments.token_file);
  if (!token) return tl::unexpected(Ending{exit_unreadable, token.error()});
  token->erase(token->find_last_not_of(" \t\r\n") + 1);
  port.token_ = *std::move(token);
  return port;
}

tl::expected<admin::ClientResponse, Ending> AdminPort::send(const std::string& method,
                                                            const std::string& target,
                                                            std::string body) const {
  auto response = admin::ask(endpoint_, {method, target, token_, tls_, std::move(body)}, patience_);
  if (!response) return tl::unexpected(Ending{exit_unreadable, response.error()});
  return *std::move(response);
}

tl::expected<std::string, Ending> AdminPort::ask(const std::string& method,
                                                 const std::string& target,
                                                 std::string body) const {
  auto response = send(method, target, std::move(body));
  if (!response) return tl::unexpected(response.error());
  if (response->status == 200) return std::move(response->body);
  return tl::unexpected(Ending{exit_bad, complaint(*response)});
}

tl::expected<bool, Ending> AdminPort::list(const std::string& path, const std::string& arguments,
                                           std::size_t items_max, const Item& item) const {
  std::size_t count = 0;
  std::string cursor;
  do {
    const std::size_t wanted = items_max == 0 ? page_max : std::min(page_max, items_max - count);
    const auto body = ask(
        "GET", path + "?limit=" + std::to_string(wanted) + arguments + argument("cursor", cursor));
    if (!body) return tl::unexpected(body.error());
    const auto tree = JsonTree::parse(*body);
    const JsonTree::Index* items =
        tree && tree->kind(0) == JsonTree::Kind::object ? tree->member(0, "items") : nullptr;
    if (items == nullptr || tree->kind(*items) != JsonTree::Kind::array) {
      return tl::unexpected(Ending{exit_bad, "the admin port's answer is not a list"});
    }
    for (const JsonTree::Index one : tree->children(*items)) {
      item(*tree, one);
      ++count;
    }
    const JsonTree::Index* next = tree->member(0, "next");
    cursor = next == nullptr ? "" : std::string(tree->text(*next));
  } while (!cursor.empty() && (items_max == 0 || count < items_max));
  return !cursor.empty();
}

std::string argument(const std::string& name, const std::string& value) {
  return value.empty() ? "" : "&" + name + "=" + policies::encode_percent(value);
}

int finish(const tl::expected<void, Ending>& ended, const Streams& streams) {
  if (ended) return exit_good;
  if (ended.error().why.empty()) return ended.error().code;
  streams.err << "onceproxy: " << ended.error().why << "\n";
  return ended.error().code;
}

}  // namespace onceproxy::cli
