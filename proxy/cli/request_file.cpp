#include "proxy/cli/request_file.hpp"

#include <ostream>
#include <utility>

#include "policies/path.hpp"
#include "proxy/cli/message_file.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/http/guarded_fields.hpp"
#include "proxy/telemetry/json.hpp"
#include "proxy/tls/pem.hpp"

namespace onceproxy::cli {
namespace {

using policies::Policy;

std::string_view path_problem(policies::PathError error) {
  switch (error) {
    case policies::PathError::not_absolute:
      return "the path does not begin with /";
    case policies::PathError::bad_encoding:
      return "the path has a % without two hexadecimal digits";
    case policies::PathError::encoded_delimiter:
      return "the path has an encoded slash, backslash or NUL";
  }
  return "";
}

}  // namespace

tl::expected<std::unique_ptr<RequestFile>, Refused> RequestFile::read(
    const config::Settings& settings, std::string text,
    const policies::ClientCertificate* certificate) {
  std::unique_ptr<RequestFile> file(new RequestFile(settings, with_line_ends(text)));
  const std::string_view all = file->text_;
  http::RequestHead& head = file->head_;
  const std::size_t end = http::find_head_end(all);
  if (end == 0) {
    return tl::unexpected(Refused{400, "the head does not end: an empty line is missing"});
  }
  const http::HeadLimits limits{settings.limits.head_bytes, settings.limits.headers};
  if (const auto bad = http::parse_request_head(all.substr(0, end), limits, head)) {
    return tl::unexpected(Refused{bad->status, std::string(bad->detail)});
  }
  file->view_ = {
      head.method, head.target, head.path, head.query, http::delivered_fields(head, file->kept_),
      certificate};
  if (head.path != "*") {
    const auto path =
        policies::normalize_path(head.path, file->path_, settings.limits.pass_encoded_slashes);
    if (!path) return tl::unexpected(Refused{400, std::string(path_problem(path.error()))});
    file->view_.path = *path;
  }
  auto body = body_of(head.framing, all.substr(end), settings.limits);
  if (!body) return tl::unexpected(body.error());
  file->body_ = *std::move(body);
  file->document_.emplace(file->view_, file->body_, settings.limits.body_bytes);
  return file;
}

tl::expected<const Policy*, Refused> RequestFile::policy(const policies::PolicySet& policies) {
  const auto candidates = policies.candidates(view_);
  if (!candidates.empty() && body_.size() > settings_.limits.body_bytes) {
    return tl::unexpected(Refused{413, "the body is larger than limits.body_bytes"});
  }
  for (const Policy* candidate : candidates) {
    if (!candidate->enforcement.holds_for_all()) continue;
    if (const auto changed = http::changed_on_the_way(head_, *candidate)) {
      return tl::unexpected(Refused{changed->status, std::string(changed->detail)});
    }
  }
  return policies.choose(candidates, view_, *document_).deciding([](const Policy& one) {
    return one.enforcement;
  });
}

std::optional<policies::ClientCertificate> RequestInputs::certificate() const {
  if (!peer) return std::nullopt;
  return policies::ClientCertificate{peer->uris, peer->hosts, peer->subject, peer->sha256};
}

tl::expected<RequestInputs, int> read_inputs(const RequestArguments& arguments,
                                             const Streams& streams) {
  const auto unreadable = [&](const std::string& why) {
    streams.err << "onceproxy: " << why << "\n";
    return tl::unexpected(exit_unreadable);
  };
  const auto text = read_file(arguments.config);
  if (!text) return unreadable(text.error());
  auto settings = config::load(*text, arguments.config, config::process_environment());
  if (!settings && arguments.json) {
    const telemetry::Json problems = config::json_of(settings.error());
    streams.out << telemetry::json_text(telemetry::JsonObject({{"problems", problems}})) << "\n";
    return tl::unexpected(exit_bad);
  }
  if (!settings) {
    for (const auto& problem : settings.error()) streams.err << problem.text() << "\n";
    return tl::unexpected(exit_bad);
  }
  auto request = read_file(arguments.request, streams.in);
  if (!request) return unreadable(request.error());
  RequestInputs inputs{*std::move(settings), *std::move(request), std::nullopt};
  if (arguments.certificate.empty()) return inputs;
  const auto chain = tls::read_file(arguments.certificate).and_then(tls::certificates_in);
  if (!chain) return unreadable(arguments.certificate + " " + chain.error());
  inputs.peer = tls::identity_of(*chain->front());
  return inputs;
}

int refuse(std::ostream& err, const Refused& why) {
  err << "bad request (" << why.status << "): " << why.detail << "\n";
  return exit_bad;
}

}  // namespace onceproxy::cli
