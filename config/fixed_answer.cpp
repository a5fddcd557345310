#include "config/fixed_answer.hpp"

#include <algorithm>

#include "config/header_names.hpp"
#include "config/scalars.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

using policies::FixedAnswer;

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
    return JsonObject({{"type", "object"}, {"additionalProperties", value.schema()}});
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
                   " is an interim status, not that of an answer; use 200 to 599");
      return std::nullopt;
    }
    if (*value == 304) {
      node.problem("304 is only for conditional requests; use 200 or 204");
      return std::nullopt;
    }
    return static_cast<int>(*value);
  };
  kind.schema = [] {
    return or_variable(JsonObject({{"type", "integer"}, {"minimum", 200}, {"maximum", 599}}));
  };
  kind.print = [](const int& value) { return Json(value); };
  return kind;
}

/// Statuses whose answers have no content (RFC 9110 15.3.5, 15.3.6).
bool has_no_content(int status) {
  return status == 204 || status == 205;
}

/// As it is written.
struct Draft {
  std::optional<int> status;
  Headers headers;
  std::optional<std::string> body;
};

FixedAnswer complete(const Draft& draft, const FixedAnswer& standard) {
  FixedAnswer answer{draft.status.value_or(standard.status), draft.headers, ""};
  if (draft.body) answer.body = *draft.body;
  if (draft.body || has_no_content(answer.status)) return answer;
  answer.body = standard.body;
  for (const auto& field : standard.headers) {
    const bool given =
        std::any_of(draft.headers.begin(), draft.headers.end(), [&](const auto& header) {
          return policies::equals_ignoring_case(header.first, field.first);
        });
    if (!given) answer.headers.push_back(field);
  }
  return answer;
}

void check_body(const Node& node, const Draft& draft, const FixedAnswer& standard) {
  const int status = draft.status.value_or(standard.status);
  const auto body = node.get("body");
  if (!body || !draft.body || draft.body->empty() || !has_no_content(status)) return;
  body->problem("an answer with status " + std::to_string(status) + " has no body; leave it out");
}

Key<Draft> status_key(int standard) {
  Key<Draft> row = key<Draft>("status", &Draft::status, answer_status(), "The answer's status.");
  row.schema = [schema = row.schema, standard] {
    Json out = schema();
    set_member(out, "default", standard);
    return out;
  };
  return row;
}

Key<Draft> body_key(const std::string& standard) {
  Key<Draft> row = key<Draft>("body", &Draft::body, text("text"),
                              "The answer's body. The default body is sent as application/json.");
  row.schema = [schema = row.schema, standard] {
    Json out = schema();
    set_member(out, "default", standard);
    return out;
  };
  return row;
}

}  // namespace

Kind<FixedAnswer> fixed_answer(std::string place, FixedAnswer standard) {
  const Kind<Draft> draft = section<Draft>(
      {std::move(place),
       {status_key(standard.status),
        key<Draft>("headers", &Draft::headers, answer_headers(), "The answer's header fields."),
        body_key(standard.body)}},
      [standard](const Node& node, const Draft& value) { check_body(node, value, standard); });
  Kind<FixedAnswer> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft, standard](const Node& node) -> std::optional<FixedAnswer> {
    const auto value = draft.read(node);
    if (!value) return std::nullopt;
    return complete(*value, standard);
  };
  return kind;
}

}  // namespace onceproxy::config
