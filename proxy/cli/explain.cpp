#include <optional>
#include <ostream>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <variant>

#include "proxy/cli/commands.hpp"
#include "proxy/cli/explain_policy.hpp"
#include "proxy/cli/message_file.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/request_file.hpp"
#include "proxy/cli/sheet.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::cli {
namespace {

using telemetry::Json;
using telemetry::JsonObject;

/// The message that is not one.
struct BadRequest {
  Refused why;
};
struct BadAnswer {
  std::string why;
};
using BadMessage = std::variant<BadRequest, BadAnswer>;
using Explained = tl::expected<void, BadMessage>;

Explained explain_on(Sheet& sheet, const config::Settings& settings, std::string request,
                     const Beside& beside) {
  std::optional<AnswerMessage> answer;
  if (beside.answer) {
    auto read = read_answer(*beside.answer, settings);
    if (!read) return tl::unexpected(BadMessage(BadAnswer{read.error()}));
    answer.emplace(*std::move(read));
  }
  const auto file = RequestFile::read(settings, std::move(request), beside.certificate);
  if (!file) return tl::unexpected(BadMessage(BadRequest{file.error()}));
  const policies::PolicySet policies(settings.policies);
  const auto policy = (*file)->policy(policies);
  if (!policy) return tl::unexpected(BadMessage(BadRequest{policy.error()}));
  const policies::RequestView& view = (*file)->view();
  sheet.line("request", printable(view.method) + " " + printable(view.path));
  if (*policy == nullptr) {
    sheet.line("policy", "none: the request passes through untouched");
    return {};
  }
  explain_policy(sheet, **policy, view, (*file)->document(), answer ? &*answer : nullptr);
  return {};
}

Json json_of(const BadMessage& bad) {
  if (const auto* request = std::get_if<BadRequest>(&bad)) {
    const auto& [status, detail] = request->why;
    return JsonObject({{"bad_request", JsonObject({{"status", status}, {"detail", detail}})}});
  }
  const auto& answer = std::get<BadAnswer>(bad);
  return JsonObject({{"bad_answer", JsonObject({{"detail", answer.why}})}});
}

int explain_as_json(const config::Settings& settings, std::string request, std::ostream& out,
                    const Beside& beside) {
  JsonSheet sheet;
  const Explained told = explain_on(sheet, settings, std::move(request), beside);
  out << telemetry::json_text(told ? sheet.json() : json_of(told.error()), 2) << "\n";
  return told ? exit_good : exit_bad;
}

}  // namespace

int explain(const config::Settings& settings, std::string request, std::ostream& out,
            std::ostream& err, const Beside& beside) {
  TextSheet sheet(out);
  const Explained told = explain_on(sheet, settings, std::move(request), beside);
  if (told) return exit_good;
  if (const auto* bad = std::get_if<BadRequest>(&told.error())) return refuse(err, bad->why);
  err << "bad answer: " << std::get<BadAnswer>(told.error()).why << "\n";
  return exit_bad;
}

int explain(const ExplainArguments& arguments, const Streams& streams) {
  auto inputs = read_inputs(
      {arguments.config, arguments.request, arguments.certificate, arguments.json}, streams);
  if (!inputs) return inputs.error();
  const auto certificate = inputs->certificate();
  Beside beside;
  beside.certificate = certificate ? &*certificate : nullptr;
  if (!arguments.answer.empty()) {
    auto answer = read_file(arguments.answer, streams.in);
    if (!answer) {
      streams.err << "onceproxy: " << answer.error() << "\n";
      return exit_unreadable;
    }
    beside.answer = *std::move(answer);
  }
  if (arguments.json) {
    return explain_as_json(inputs->settings, std::move(inputs->request), streams.out, beside);
  }
  return explain(inputs->settings, std::move(inputs->request), streams.out, streams.err, beside);
}

}  // namespace onceproxy::cli
