#include "config/answer_reader.hpp"

#include <algorithm>

#include "config/header_names.hpp"
#include "config/scalars.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

using policies::FixedAnswer;
using policies::ReplayRules;

using Headers = std::vector<std::pair<std::string, std::string>>;

Kind<Headers> answer_headers() {
  const Kind<std::string> value = text("a header's value", wrong_field_value);
  Kind<Headers> kind;
  kind.read = [value](const Node& node) -> std::optional<Headers> {
    if (!node.is_map()) {
      node.expected("a map from header names to values");
      return std::nullopt;
    }
    Headers out;
    for (const Node::Entry& entry : node.entries()) {
      if (const auto wrong = wrong_answer_field(entry.key)) {
        entry.key_problem(quote(entry.key) + " " + *wrong);
      }
      for (const auto& other : out) {
        if (policies::equals_ignoring_case(other.first, entry.key)) {
          entry.key_problem("`" + other.first + "` and `" + entry.key + "` are one header");
        }
      }
      if (auto text = value.read(entry.value)) out.emplace_back(entry.key, *std::move(text));
    }
    return out;
  };
  kind.schema = [value] {
    return Json::object({{"type", "object"}, {"additionalProperties", value.schema()}});
  };
  return kind;
}

Kind<int> answer_status() {
  const Kind<std::size_t> any = integer(100, 599);
  Kind<int> kind;
  kind.read = [any](const Node& node) -> std::optional<int> {
    const auto value = any.read(node);
    if (!value) return std::nullopt;
    if (*value < 200) {
      node.problem(std::to_string(*value) +
                   " announces a later answer, and a duplicate gets none; use 200 to 599");
      return std::nullopt;
    }
    if (*value == 304) {
      node.problem("304 answers a conditional request alone; use 200 or 204");
      return std::nullopt;
    }
    return static_cast<int>(*value);
  };
  kind.schema = [] {
    return or_variable(Json::object({{"type", "integer"}, {"minimum", 200}, {"maximum", 599}}));
  };
  kind.print = [](const int& value) { return Json(value); };
  return kind;
}

/// Statuses whose answers have no content (RFC 9110 15.3.5, 15.3.6).
bool has_no_content(int status) {
  return status == 204 || status == 205;
}

void complete_answer(const Node& node, FixedAnswer& answer) {
  const auto body = node.get("body");
  if (has_no_content(answer.status)) {
    if (body && !answer.body.empty()) {
      body->problem("an answer with status " + std::to_string(answer.status) +
                    " has no body; leave it out");
    }
    return;
  }
  if (body) return;
  answer.body = R"({"status":"suppressed","reason":"duplicate"})";
  const bool typed =
      std::any_of(answer.headers.begin(), answer.headers.end(), [](const auto& header) {
        return policies::equals_ignoring_case(header.first, "content-type");
      });
  if (!typed) answer.headers.emplace_back("content-type", "application/json");
}

Kind<FixedAnswer> fixed_answer() {
  return section<FixedAnswer>(
      {"on_duplicate",
       {key<FixedAnswer>("status", &FixedAnswer::status, answer_status(), "The answer's status."),
        key<FixedAnswer>("headers", &FixedAnswer::headers, answer_headers(),
                         "The answer's header fields."),
        key<FixedAnswer>("body", &FixedAnswer::body, text("text"),
                         "The answer's body. Default: "
                         "{\"status\":\"suppressed\",\"reason\":\"duplicate\"}, as "
                         "application/json.")},
       {}},
      complete_answer);
}

}  // namespace

Kind<std::optional<FixedAnswer>> on_duplicate() {
  using Result = std::optional<FixedAnswer>;
  const Kind<FixedAnswer> fixed = fixed_answer();
  Kind<Result> kind;
  kind.names = fixed.names;
  kind.read = [fixed](const Node& node) -> std::optional<Result> {
    if (node.is_map()) {
      auto value = fixed.read(node);
      if (!value) return std::nullopt;
      return Result(*std::move(value));
    }
    if (node.is_scalar() && node.text() == "replay") return Result();
    node.expected("`replay` or a map of status, headers and body");
    return std::nullopt;
  };
  kind.schema = [fixed] {
    return Json::object(
        {{"anyOf", Json::array({word_schema({"replay"}), fixed.schema()})}, {"default", "replay"}});
  };
  return kind;
}

Kind<ReplayRules> replay() {
  auto name = text("a header name", wrong_stored_field);
  name.read = [any = name.read](const Node& node) {
    auto value = any(node);
    if (value) {
      for (char& c : *value) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
    }
    return value;
  };
  return section<ReplayRules>(
      {"replay",
       {key<ReplayRules>("max_body", &ReplayRules::body_bytes_max, size(0, std::uint64_t{64} << 20),
                         "The largest response body that is kept. A larger one is remembered as "
                         "not replayable."),
        key<ReplayRules>("drop_headers", &ReplayRules::drop_headers, list("header names", name),
                         "Response header fields that are not replayed.")},
       {}});
}

}  // namespace onceproxy::config
