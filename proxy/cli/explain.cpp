#include <istream>
#include <iterator>
#include <ostream>

#include "policies/path.hpp"
#include "policies/policy_set.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/explain_policy.hpp"
#include "proxy/cli/message_file.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/guarded_fields.hpp"
#include "proxy/tls/peer.hpp"
#include "proxy/tls/pem.hpp"

namespace onceproxy::cli {
namespace {

using policies::Document;
using policies::Policy;
using policies::RequestView;

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
            std::ostream& err, const Beside& beside) {
  std::optional<AnswerMessage> answer;
  if (beside.answer) {
    auto read = read_answer(*beside.answer, settings);
    if (!read) {
      err << "bad answer: " << read.error() << "\n";
      return exit_bad;
    }
    answer.emplace(*std::move(read));
  }
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
      head.method,       head.target, head.path, head.query, http::delivered_fields(head, kept),
      beside.certificate};
  std::string scratch;
  if (head.path != "*") {
    const auto path =
        policies::normalize_path(head.path, scratch, settings.limits.pass_encoded_slashes);
    if (!path) return refuse(err, {400, std::string(path_problem(path.error()))});
    view.path = *path;
  }
  const auto body = body_of(head.framing, std::string_view(request).substr(end), settings.limits);
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
  print_policy(out, *policy, view, document, answer ? &*answer : nullptr);
  return exit_good;
}

int explain(const ExplainArguments& arguments, const Streams& streams) {
  const auto text = read_file(arguments.config);
  if (!text) {
    streams.err << "onceproxy: " << text.error() << "\n";
    return exit_unreadable;
  }
  const auto settings = config::load(*text, arguments.config, config::process_environment());
  if (!settings) {
    for (const auto& problem : settings.error()) streams.err << problem.text() << "\n";
    return exit_bad;
  }
  const auto read_message = [&](const std::string& path) {
    return path == "-" ? tl::expected<std::string, std::string>(
                             std::string(std::istreambuf_iterator<char>(streams.in), {}))
                       : read_file(path);
  };
  auto request = read_message(arguments.request);
  if (!request) {
    streams.err << "onceproxy: " << request.error() << "\n";
    return exit_unreadable;
  }
  Beside beside;
  if (!arguments.answer.empty()) {
    auto answer = read_message(arguments.answer);
    if (!answer) {
      streams.err << "onceproxy: " << answer.error() << "\n";
      return exit_unreadable;
    }
    beside.answer = *std::move(answer);
  }
  if (arguments.certificate.empty()) {
    return explain(*settings, *std::move(request), streams.out, streams.err, beside);
  }
  const auto pem = tls::read_file(arguments.certificate);
  const auto chain = pem.and_then(tls::certificates_in);
  if (!chain) {
    streams.err << "onceproxy: " << arguments.certificate << " " << chain.error() << "\n";
    return exit_unreadable;
  }
  const tls::Peer peer = tls::identity_of(*chain->front());
  const policies::ClientCertificate shown{peer.uris, peer.hosts, peer.subject, peer.sha256};
  beside.certificate = &shown;
  return explain(*settings, *std::move(request), streams.out, streams.err, beside);
}

}  // namespace onceproxy::cli
