// RequestFile: a raw HTTP request from a file, read with the parser of the data port and looked up
// among the policies the way the data port does; what is forgiven, message_file.hpp says. Private
// to this folder. Not thread-safe. It views its own text, so it stays where it is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/load.hpp"
#include "policies/document.hpp"
#include "policies/policy_set.hpp"
#include "policies/request_view.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/message_file.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/tls/peer.hpp"

namespace onceproxy::cli {

class RequestFile {
 public:
  /// `settings` and `certificate` (null: the client shows none) must outlive it.
  static tl::expected<std::unique_ptr<RequestFile>, Refused> read(
      const config::Settings& settings, std::string text,
      const policies::ClientCertificate* certificate);

  const policies::RequestView& view() const { return view_; }
  policies::Document& document() { return *document_; }
  /// The policy that the request comes to; nullptr if none covers it.
  tl::expected<const policies::Policy*, Refused> policy(const policies::PolicySet& policies);

 private:
  RequestFile(const config::Settings& settings, std::string text)
      : settings_(settings), text_(std::move(text)) {}

  const config::Settings& settings_;
  const std::string text_;
  http::RequestHead head_;
  std::vector<policies::Field> kept_;
  std::string path_;
  policies::RequestView view_{};
  std::string body_;
  std::optional<policies::Document> document_;
};

/// What the commands that look at a request take.
struct RequestArguments {
  /// The configuration.
  std::string config;
  /// A raw HTTP message in a file, or `-` for Streams::in.
  std::string request;
  /// A file with the certificate that the client shows, in PEM form; empty: none.
  std::string certificate;
  /// Problems of the configuration go to Streams::out, as {"problems":[…]}.
  bool json = false;
};

/// What the arguments name, read.
struct RequestInputs {
  config::Settings settings;
  std::string request;
  std::optional<tls::Peer> peer;
  /// Views `peer`; nothing if the client shows no certificate.
  std::optional<policies::ClientCertificate> certificate() const;
};

/// If that fails, the reason goes to `streams.err` (but see RequestArguments::json), and the
/// exit code is returned.
tl::expected<RequestInputs, int> read_inputs(const RequestArguments& arguments,
                                             const Streams& streams);

/// "bad request (400): …"; returns exit_bad.
int refuse(std::ostream& err, const Refused& why);

}  // namespace onceproxy::cli
