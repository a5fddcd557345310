#include <map>

#include "config/answer_reader.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

using policies::StatusSet;

/// A status, or a class written 4xx or 5xx.
struct StatusRule {
  int status = 0;
  bool is_class = false;
};

/// Answers that say "not done": ask elsewhere (307, 308), with credentials (401, 407), under other
/// conditions (412, 417, 428), on another connection (421), later (408, 425, 429, 5xx).
const std::vector<StatusRule>& default_release() {
  static const std::vector<StatusRule> rules{{307}, {308}, {401}, {407}, {408}, {412},
                                             {417}, {421}, {425}, {428}, {429}, {5, true}};
  return rules;
}

const std::vector<StatusRule>& default_ambiguous() {
  static const std::vector<StatusRule> rules{{502}, {504}};
  return rules;
}

StatusSet set_of(const std::vector<StatusRule>& rules) {
  StatusSet set;
  for (const StatusRule& rule : rules) {
    if (rule.is_class) {
      set.add_class(rule.status);
    } else {
      set.add(rule.status);
    }
  }
  return set;
}

bool has(const StatusSet& set, const StatusRule& rule) {
  return rule.is_class ? set.has_class(rule.status) : set.has_single(rule.status);
}

std::optional<StatusRule> parse_rule(std::string_view text) {
  if (text.size() == 3 && text.ends_with("xx") && text[0] >= '1' && text[0] <= '5') {
    return StatusRule{text[0] - '0', true};
  }
  const auto number = whole_number(text);
  if (number && *number >= 100 && *number <= 599) return StatusRule{static_cast<int>(*number)};
  return std::nullopt;
}

/// 307 and 308 ask for the very same request elsewhere (RFC 9110 15.4.8, 15.4.9); the other
/// redirections tell where the result of what was done is found.
bool may_be_named(const StatusRule& rule) {
  const int hundreds = rule.is_class ? rule.status : rule.status / 100;
  const bool repeats_elsewhere = !rule.is_class && (rule.status == 307 || rule.status == 308);
  return hundreds == 4 || hundreds == 5 || repeats_elsewhere;
}

Kind<StatusRule> status_rule() {
  Kind<StatusRule> kind;
  kind.read = [](const Node& node) -> std::optional<StatusRule> {
    const auto rule = parse_rule(node.text());
    if (node.is_broken() || !rule || (!rule->is_class && !node.is_plain())) {
      node.expected("a status such as 408 or a class such as 5xx");
      return std::nullopt;
    }
    if (may_be_named(*rule)) return rule;
    node.problem(quote(node.text()) +
                 " says that the operation happened: only 307, 308, 4xx and 5xx can be named here, "
                 "and every status named nowhere completes");
    return std::nullopt;
  };
  kind.schema = [] {
    return Json::object(
        {{"anyOf",
          Json::array({Json::object({{"type", "integer"}, {"minimum", 400}, {"maximum", 599}}),
                       Json::object({{"enum", Json::array({307, 308})}}),
                       word_schema({"4xx", "5xx"})})}});
  };
  kind.print = [](const StatusRule& rule) {
    return rule.is_class ? Json(std::to_string(rule.status) + "xx") : Json(rule.status);
  };
  return kind;
}

struct Draft {
  std::vector<StatusRule> release = default_release();
  std::vector<StatusRule> ambiguous = default_ambiguous();
  store::OnUnknown unknown = store::OnUnknown::retry;
};

/// The list's items against what the other list holds, given or by default.
void check_overlap(const Node& node, std::string_view here, std::string_view other,
                   const StatusSet& others) {
  const auto list = node.get(here);
  if (!list) return;
  const bool by_default = !node.get(other);
  std::map<std::string, bool> seen;
  for (const Node& item : list->items()) {
    const auto rule = parse_rule(item.text());
    if (!rule || (!rule->is_class && !item.is_plain())) continue;
    if (!seen.emplace(item.text(), true).second) {
      item.problem("`" + item.text() + "` is listed twice");
    } else if (has(others, *rule)) {
      item.problem("`" + item.text() + "` is in `" + std::string(other) + "` too" +
                   (by_default ? ", by default; give `" + std::string(other) + "` without it"
                               : "; a status is one or the other"));
    }
  }
}

}  // namespace

OutcomeDraft default_outcome() {
  OutcomeDraft draft;
  draft.rules = {set_of(default_release()), set_of(default_ambiguous())};
  return draft;
}

Kind<OutcomeDraft> outcome() {
  const Kind<Draft> draft = section<Draft>(
      {"outcome",
       {key<Draft>("release", &Draft::release, list("statuses", status_rule()),
                   "Statuses that say the operation did not happen: the key is freed at once. 307, "
                   "308, 4xx and 5xx can be named. A status named neither here nor in ambiguous "
                   "completes."),
        key<Draft>("ambiguous", &Draft::ambiguous, list("statuses", status_rule()),
                   "Statuses that a gateway in between may have made: the outcome is unknown, as "
                   "without an answer. A single status takes precedence over a class."),
        key<Draft>(
            "unknown", &Draft::unknown,
            word<store::OnUnknown>(
                {{"retry", store::OnUnknown::retry}, {"hold", store::OnUnknown::hold}}),
            "What a duplicate gets when the outcome is unknown. retry: it may go through "
            "after the lease. hold: 409 until the window ends or an operator resolves it.")}},
      [](const Node& node, const Draft& value) {
        // Where both are given, one report is enough.
        check_overlap(node, "release", "ambiguous",
                      node.get("ambiguous") ? StatusSet() : set_of(value.ambiguous));
        check_overlap(node, "ambiguous", "release", set_of(value.release));
      });
  Kind<OutcomeDraft> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft](const Node& node) -> std::optional<OutcomeDraft> {
    auto value = draft.read(node);
    if (!value) return std::nullopt;
    OutcomeDraft out;
    out.rules = {set_of(value->release), set_of(value->ambiguous)};
    out.unknown = value->unknown;
    return out;
  };
  return kind;
}

}  // namespace onceproxy::config
