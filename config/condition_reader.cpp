#include "config/condition_reader.hpp"

#include <algorithm>

#include "config/scalars.hpp"
#include "config/selector_checks.hpp"
#include "config/selector_reader.hpp"
#include "config/selector_rows.hpp"
#include "config/status_rule.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

using policies::Selector;
using policies::Source;

struct ConditionDraft : SelectorDraft {
  std::string equals;
  std::vector<std::string> in;
  policies::Regex regex;
  std::optional<bool> present;
  /// What `status: 4xx` is short for.
  policies::Regex statuses;
};

bool is_true(const Node& node) {
  return node.is_plain() && node.text() == "true";
}

/// What is always there cannot be asked whether it is.
void check_present(const Node& node, const Selector& selector) {
  const auto present = node.get("present");
  if (!present) return;
  const bool always = selector.source == Source::method || selector.source == Source::target ||
                      selector.source == Source::content || selector.source == Source::status;
  if (always) present->problem("`" + selector.text + "` is always present; compare its value");
  for (const Selector* at = &selector; at != nullptr; at = at->otherwise.get()) {
    if (!at->default_value) continue;
    present->problem("a field with a default is always there; leave `default` out");
    return;
  }
}

/// A condition compares the whole text, and senders add parameters and choose the case. A `capture`
/// takes what it wants of the text.
void check_media_type(const Node& node, const ConditionDraft& draft, Of of) {
  const auto field = node.get("header");
  const auto wanted = node.get("equals") ? node.get("equals") : node.get("in");
  const bool whole = draft.selector.source == Source::header && !draft.selector.capture && field &&
                     wanted && policies::equals_ignoring_case(field->text(), "content-type");
  if (!whole) return;
  const bool answer = of == Of::answer;
  wanted->problem(std::string(answer ? "an answer" : "a request") +
                  " with `; charset=utf-8` after its media type would not meet this; write " +
                  (answer ? "" : "match.headers: {content-type: application/json}, or ") +
                  "regex: '(?i)application/json(;.*)?'");
}

void check_condition(const Node& node, const ConditionDraft& draft, Of of) {
  check_selector(node, draft, of);
  std::vector<std::string> tests;
  for (const Node::Entry& entry : node.entries()) {
    if (is_test(entry)) tests.push_back(entry.key);
    if (entry.key == "status" && !is_true(entry.value)) tests.push_back("status");
    if (entry.key == "const" && of == Of::request) {
      entry.key_problem("a condition on a constant is always true or always false");
    }
  }
  check_media_type(node, draft, of);
  if (tests.empty()) node.problem("a condition has one of equals, in, regex or present");
  if (tests.size() > 1) node.problem("a condition has only one of " + one_of(tests));
  check_present(node, draft.selector);
}

/// Of a chain of `otherwise`, whose selectors are read as those of a request.
void check_of_answer(const Node& node, const Selector& selector) {
  std::optional<Node> at = node;
  for (const Selector* one = &selector; one != nullptr && at; one = one->otherwise.get()) {
    if (!fits(one->source, Of::answer)) {
      at->problem("`" + one->text + "` is a field of a request; an answer has " +
                  one_of(sources(Of::answer)));
    }
    at = at->get("otherwise");
  }
}

/// An expression that any of the statuses matches; nullptr if one could not be read.
policies::Regex statuses_of(const Node& node) {
  std::string pattern;
  const std::vector<Node> several = node.items();
  if (node.is_list() && several.empty()) node.problem("the list of statuses is empty");
  for (const Node& one : node.is_list() ? several : std::vector<Node>{node}) {
    const auto rule = read_status_rule(one);
    if (!rule) return nullptr;
    if (!pattern.empty()) pattern += '|';
    pattern += std::to_string(rule->status) + (rule->is_class ? ".." : "");
  }
  return pattern.empty() ? nullptr : std::make_shared<const re2::RE2>(pattern);
}

/// `true`, for a test beside it, or what the status must be.
Key<ConditionDraft> status_row() {
  Key<ConditionDraft> row;
  row.name = "status";
  row.read = [](const Node& node, ConditionDraft& draft) {
    ++draft.sources;
    draft.selector.source = Source::status;
    draft.selector.text = "status";
    if (is_true(node)) return;
    draft.statuses = statuses_of(node);
  };
  row.schema = [] {
    const Json one = JsonObject(
        {{"anyOf", JsonArray({JsonObject({{"type", "integer"}, {"minimum", 100}, {"maximum", 599}}),
                              word_schema({"1xx", "2xx", "3xx", "4xx", "5xx"})})}});
    return JsonObject({{"anyOf", JsonArray({JsonObject({{"const", true}}), one,
                                            JsonObject({{"type", "array"}, {"items", one}})})},
                       {"description",
                        "The answer's status: a number, a class, or a list of them; or true "
                        "together with a test."}});
  };
  return row;
}

Key<ConditionDraft> header_of_answer_row() {
  return source_key<ConditionDraft>("header", Source::header,
                                    text("a header name", wrong_asked_field),
                                    "The value of this header field of the answer.");
}

/// The rows of a selector, without those that an answer has no field for.
Keys<ConditionDraft> answer_keys() {
  Keys<ConditionDraft> keys{"a condition on an answer", {status_row(), header_of_answer_row()}};
  const std::vector<std::string> fitting = sources(Of::answer);
  const std::vector<std::string> all = sources(Of::request_with_key);
  const auto in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (Key<ConditionDraft>& row : selector_rows<ConditionDraft>(false)) {
    if (row.name == "header") continue;
    if (in(all, row.name) && !in(fitting, row.name)) {
      keys.misplaced.push_back(row.name);
    } else {
      keys.rows.push_back(std::move(row));
    }
  }
  keys.misplaced_message = "is a field of a request; an answer has " + one_of(fitting);
  return keys;
}

Kind<policies::Condition> condition(Of of) {
  Keys<ConditionDraft> keys =
      of == Of::answer ? answer_keys()
                       : Keys<ConditionDraft>{"a condition", selector_rows<ConditionDraft>(false)};
  keys.rows.push_back(key<ConditionDraft>("equals", &ConditionDraft::equals, value_text(),
                                          "The text that the field must have."));
  keys.rows.push_back(key<ConditionDraft>("in", &ConditionDraft::in,
                                          list("texts", value_text(), Empty::refused),
                                          "The texts of which the field must have one."));
  keys.rows.push_back(
      key<ConditionDraft>("regex", &ConditionDraft::regex, regex(),
                          "An expression (RE2) that the whole text of the field must match."));
  keys.rows.push_back(key<ConditionDraft>(
      "present", &ConditionDraft::present, flag(),
      "true: the field must be present, with any value. false: it must be missing."));
  const Kind<ConditionDraft> draft =
      section<ConditionDraft>(std::move(keys), [of](const Node& node, const ConditionDraft& value) {
        check_condition(node, value, of);
        // What could not be read has been reported.
        const bool known = !value.selector.text.empty();
        if (of == Of::answer && known) check_of_answer(node, value.selector);
      });
  Kind<policies::Condition> kind;
  kind.names = draft.names;
  kind.read = [draft](const Node& node) -> std::optional<policies::Condition> {
    auto value = draft.read(node);
    if (!value || value->selector.text.empty()) return std::nullopt;
    policies::Condition out;
    out.selector = finished(node, std::move(value->selector));
    out.any_of = std::move(value->in);
    if (node.get("equals")) out.any_of.push_back(std::move(value->equals));
    out.regex = value->statuses ? std::move(value->statuses) : std::move(value->regex);
    out.present = value->present;
    return out;
  };
  kind.schema = [draft, of] { return exactly_one_source(draft.schema(), of); };
  return kind;
}

Kind<std::vector<policies::Condition>> one_or_more_conditions(Of of) {
  using Conditions = std::vector<policies::Condition>;
  const Kind<policies::Condition> one = condition(of);
  Kind<Conditions> several = list("conditions", one, Empty::refused);
  Kind<Conditions> kind;
  kind.names = one.names;
  kind.read = [one, several](const Node& node) -> std::optional<Conditions> {
    if (!node.is_map()) {
      auto values = several.read(node);
      if (!values || values->size() != node.items().size()) return std::nullopt;
      return values;
    }
    auto value = one.read(node);
    if (!value) return std::nullopt;
    return Conditions{*std::move(value)};
  };
  kind.schema = [one, several] {
    return JsonObject({{"anyOf", JsonArray({one.schema(), several.schema()})}});
  };
  return kind;
}

}  // namespace

Kind<std::vector<policies::Condition>> conditions() {
  Kind<std::vector<policies::Condition>> kind =
      list("conditions", condition(Of::request), Empty::refused);
  kind.print = [](const std::vector<policies::Condition>&) { return Json(); };
  return kind;
}

Kind<std::vector<policies::Condition>> one_or_more_conditions() {
  return one_or_more_conditions(Of::request);
}

Kind<std::vector<policies::Condition>> conditions_on_answer() {
  return one_or_more_conditions(Of::answer);
}

}  // namespace onceproxy::config
