#include <map>

#include "config/answer_reader.hpp"
#include "config/condition_reader.hpp"
#include "config/match_reader.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"
#include "config/status_rule.hpp"

namespace onceproxy::config {
namespace {

using policies::OutcomeRule;
using policies::StatusSet;
using policies::Verdict;

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
    const auto rule = read_status_rule(node);
    if (!rule) return std::nullopt;
    if (may_be_named(*rule)) return rule;
    node.problem(quote(node.text()) +
                 " says that the operation happened: only 307, 308, 4xx and 5xx can be named here, "
                 "and every status named nowhere completes");
    return std::nullopt;
  };
  kind.schema = [] {
    return JsonObject(
        {{"anyOf", JsonArray({JsonObject({{"type", "integer"}, {"minimum", 400}, {"maximum", 599}}),
                              JsonObject({{"enum", JsonArray({307, 308})}}),
                              word_schema({"4xx", "5xx"})})}});
  };
  kind.print = [](const StatusRule& rule) {
    return rule.is_class ? Json(std::to_string(rule.status) + "xx") : Json(rule.status);
  };
  return kind;
}

Kind<std::vector<OutcomeRule>> outcome_rules() {
  const Kind<OutcomeRule> rule = section<OutcomeRule>(
      {"a rule of an outcome",
       {key<OutcomeRule>("where", &OutcomeRule::where, conditions_on_answer(),
                         "A condition on the answer's status, header or body, or a list of them; "
                         "all must hold.",
                         Need::required),
        key<OutcomeRule>("is", &OutcomeRule::is,
                         word<Verdict>({{"complete", Verdict::complete},
                                        {"release", Verdict::release},
                                        {"ambiguous", Verdict::ambiguous}}),
                         "What such an answer means. complete: the operation was done. release: it "
                         "was not done. ambiguous: the outcome is unknown.",
                         Need::required)}});
  Kind<std::vector<OutcomeRule>> kind = list("rules", rule, Empty::refused);
  kind.print = [](const std::vector<OutcomeRule>&) { return Json(); };
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    const std::vector<Node> nodes = node.items();
    if (!value || value->size() != nodes.size()) return value;
    for (std::size_t i = 0; i < value->size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if ((*value)[j].where.empty() || !covers((*value)[j].where, (*value)[i].where)) continue;
        nodes[i].problem("never applies: rules[" + std::to_string(j) +
                         "] applies to the same answers and stands first; put this one before it, "
                         "or narrow its `where`");
        break;
      }
    }
    return value;
  };
  return kind;
}

struct Draft {
  std::vector<StatusRule> release = default_release();
  std::vector<StatusRule> ambiguous = default_ambiguous();
  std::vector<OutcomeRule> rules;
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
    const auto rule = parse_status_rule(item.text());
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
  draft.rules = {set_of(default_release()), set_of(default_ambiguous()), {}};
  return draft;
}

Kind<OutcomeDraft> outcome() {
  const Kind<Draft> draft = section<Draft>(
      {"outcome",
       {key<Draft>("release", &Draft::release, list("statuses", status_rule()),
                   "Statuses which say that the operation was not done; its reservation is then "
                   "released at once. Possible are 307, 308, 4xx and 5xx. A status that is neither "
                   "here nor in ambiguous completes the operation."),
        key<Draft>(
            "ambiguous", &Draft::ambiguous, list("statuses", status_rule()),
            "Statuses that may come from a gateway in front of the service. The outcome is then "
            "unknown, as without an answer. A single status takes precedence over a class."),
        key<Draft>("rules", &Draft::rules, outcome_rules(),
                   "Rules on the status, header and body of the answer. The first rule that "
                   "applies decides, before the statuses do."),
        key<Draft>("unknown", &Draft::unknown,
                   word<store::OnUnknown>(
                       {{"retry", store::OnUnknown::retry}, {"hold", store::OnUnknown::hold}}),
                   "How a duplicate is treated if the outcome is unknown. retry: it is forwarded "
                   "after the lease. hold: it gets 409 until the window ends or an operator "
                   "resolves the operation.")}},
      [](const Node& node, const Draft& value) {
        // If both are given, one report is enough.
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
    out.rules = {set_of(value->release), set_of(value->ambiguous), std::move(value->rules)};
    out.unknown = value->unknown;
    return out;
  };
  return kind;
}

}  // namespace onceproxy::config
