#include <istream>
#include <iterator>
#include <ostream>

#include "policies/path.hpp"
#include "policies/policy_set.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/explain_policy.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/http/grammar/chunked.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/guarded_fields.hpp"
#include "proxy/tls/peer.hpp"
#include "proxy/tls/pem.hpp"

namespace onceproxy::cli {
namespace {

using policies::Document;
using policies::Policy;
using policies::RequestView;

/// A request in a file was written by hand as often as not: an editor's line ends are taken for
/// CR LF in the head, which is all that is forgiven.
std::string with_line_ends(const std::string& text) {
  const std::size_t first_line = text.find('\n');
  if (first_line == std::string::npos || first_line == 0 || text[first_line - 1] == '\r')
    return text;
  const std::size_t empty_line = text.find("\n\n");
  const std::size_t head_end = empty_line == std::string::npos ? text.size() : empty_line + 2;
  std::string out;
  for (std::size_t i = 0; i < head_end; ++i) {
    if (text[i] == '\n') out += '\r';
    out += text[i];
  }
  return out + text.substr(head_end);
}

struct Refused {
  int status;
  std::string detail;
};

tl::expected<std::string, Refused> decode_chunks(std::string_view rest,
                                                 const config::LimitSettings& limits) {
  using Kind = http::ChunkedDecoder::Step::Kind;
  http::ChunkedDecoder decoder(limits.head_bytes, limits.headers);
  std::string body;
  while (!decoder.done()) {
    const auto step = decoder.feed(rest);
    if (step.kind == Kind::error) return tl::unexpected(Refused{400, "malformed chunked body"});
    if (step.kind == Kind::more) return tl::unexpected(Refused{400, "the chunked body breaks off"});
    body += step.data;
    rest.remove_prefix(step.consumed);
  }
  return body;
}

tl::expected<std::string, Refused> body_of(const http::RequestHead& head, std::string_view rest,
                                           const config::LimitSettings& limits) {
  using Kind = http::Framing::Kind;
  if (head.framing.kind == Kind::chunked) return decode_chunks(rest, limits);
  // Whoever writes a request by hand leaves the length out, and means what follows the head.
  if (head.framing.kind != Kind::length) return std::string(rest);
  if (rest.size() < head.framing.length) {
    return tl::unexpected(Refused{400, "the body breaks off: Content-Length is " +
                                           std::to_string(head.framing.length) + ", and " +
                                           std::to_string(rest.size()) + " bytes follow"});
  }
  return std::string(rest.substr(0, head.framing.length));
}

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

int refuse(std::ostream& err, const Refused& why) {
  err << "bad request (" << why.status << "): " << why.detail << "\n";
  return exit_bad;
}

}  // namespace

int explain(const config::Settings& settings, std::string request, std::ostream& out,
            std::ostream& err, const policies::ClientCertificate* certificate) {
  request = with_line_ends(request);
  const http::HeadLimits limits{settings.limits.head_bytes, settings.limits.headers};
  const std::size_t end = http::find_head_end(request);
  if (end == 0) return refuse(err, {400, "the head does not end: an empty line is missing"});
  http::RequestHead head;
  if (const auto bad =
          http::parse_request_head(std::string_view(request).substr(0, end), limits, head)) {
    return refuse(err, {bad->status, std::string(bad->detail)});
  }
  std::vector<policies::Field> kept;
  RequestView view{
      head.method, head.target, head.path, head.query, http::delivered_fields(head, kept),
      certificate};
  std::string scratch;
  if (head.path != "*") {
    const auto path =
        policies::normalize_path(head.path, scratch, settings.limits.pass_encoded_slashes);
    if (!path) return refuse(err, {400, std::string(path_problem(path.error()))});
    view.path = *path;
  }
  const auto body = body_of(head, std::string_view(request).substr(end), settings.limits);
  if (!body) return refuse(err, body.error());

  const policies::PolicySet policies(settings.policies);
  Document document(view, *body, settings.limits.body_bytes);
  const auto candidates = policies.candidates(view);
  if (!candidates.empty() && body->size() > settings.limits.body_bytes) {
    return refuse(err, {413, "the body is larger than limits.body_bytes"});
  }
  for (const Policy* candidate : candidates) {
    if (!candidate->enforcement.holds_for_all()) continue;
    if (const auto changed = http::changed_on_the_way(head, *candidate)) {
      return refuse(err, {changed->status, std::string(changed->detail)});
    }
  }
  const Policy* policy =
      policies.choose(candidates, view, document).deciding([](const Policy& one) {
        return one.enforcement;
      });
  print_line(out, "request", printable(head.method) + " " + printable(view.path));
  if (policy == nullptr) {
    print_line(out, "policy", "none: the request passes through untouched");
    return exit_good;
  }
  print_policy(out, *policy, view, document);
  return exit_good;
}

int explain(const std::string& config_path, const std::string& request_path,
            const std::string& certificate_path, const Streams& streams) {
  const auto text = read_file(config_path);
  if (!text) {
    streams.err << "onceproxy: " << text.error() << "\n";
    return exit_unreadable;
  }
  const auto settings = config::load(*text, config_path, config::process_environment());
  if (!settings) {
    for (const auto& problem : settings.error()) streams.err << problem.text() << "\n";
    return exit_bad;
  }
  auto request = request_path == "-" ? tl::expected<std::string, std::string>(std::string(
                                           std::istreambuf_iterator<char>(streams.in), {}))
                                     : read_file(request_path);
  if (!request) {
    streams.err << "onceproxy: " << request.error() << "\n";
    return exit_unreadable;
  }
  if (certificate_path.empty()) {
    return explain(*settings, *std::move(request), streams.out, streams.err);
  }
  const auto pem = tls::read_file(certificate_path);
  const auto chain = pem.and_then(tls::certificates_in);
  if (!chain) {
    streams.err << "onceproxy: " << certificate_path << " " << chain.error() << "\n";
    return exit_unreadable;
  }
  const tls::Peer peer = tls::identity_of(*chain->front());
  const policies::ClientCertificate shown{peer.uris, peer.hosts, peer.subject, peer.sha256};
  return explain(*settings, *std::move(request), streams.out, streams.err, &shown);
}

}  // namespace onceproxy::cli
