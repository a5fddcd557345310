#include "config/ends_reader.hpp"

#include <algorithm>

#include "config/policy_rows.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"

namespace onceproxy::config {
namespace {

using policies::EndsRule;
using policies::Policy;
using policies::Selector;

std::string fields(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " field" : " fields");
}

const std::vector<Selector>& scope_of(const EndsRule& rule, const Policy& policy) {
  return rule.scope ? *rule.scope : policy.scope;
}

/// Digests hold how many fields there are, so another number names nothing.
bool may_name(const EndsRule& rule, const Policy& policy, const Policy& other) {
  const std::string& name_space = rule.name_space.empty() ? policy.name_space : rule.name_space;
  return other.name_space == name_space && other.fingerprint.size() == rule.fingerprint.size() &&
         other.scope.size() == scope_of(rule, policy).size();
}

void check_entry(const Node& node, const EndsRule&) {
  const auto list = node.get("fingerprint");
  if (!list || !list->is_list()) return;
  const std::vector<Node> selectors = list->items();
  const bool constant = std::all_of(selectors.begin(), selectors.end(), [](const Node& selector) {
    return selector.get("const") || selector.get("method");
  });
  if (!selectors.empty() && constant) {
    list->problem(
        "no policy has a fingerprint of constants alone; select the field that tells "
        "the operations apart");
  }
}

}  // namespace

Kind<std::vector<EndsRule>> ends() {
  const Kind<EndsRule> entry = section<EndsRule>(
      {"an entry of ends",
       {key<EndsRule>("fingerprint", &EndsRule::fingerprint,
                      selectors(Sources::all, Empty::refused),
                      "The fields that name the operation, in the order of its policy's "
                      "fingerprint. If a field is missing, the entry is skipped.",
                      Need::required),
        key<EndsRule>("namespace", &EndsRule::name_space, name_text("a namespace"),
                      "The namespace of the operation. Default: the policy's own."),
        key<EndsRule>(
            "scope", &EndsRule::scope,
            selectors_or_word(selectors(Sources::no_client_key, Empty::refused), "shared", {}),
            "The scope of the operation. Default: the policy's own scope.")}},
      check_entry);
  Kind<std::vector<EndsRule>> kind = list("entries", entry, Empty::refused);
  kind.print = [](const std::vector<EndsRule>&) { return Json(); };
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (node.items().size() > ends_max) {
      node.problem("at most " + std::to_string(ends_max) + " operations end at once");
    }
    return value;
  };
  kind.schema = [any = kind.schema] {
    Json schema = any();
    set_member(schema, "maxItems", static_cast<int>(ends_max));
    return schema;
  };
  return kind;
}

void check_ends(const Node& node, const std::vector<Policy>& policies) {
  const std::vector<Node> nodes = node.items();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const Policy& policy = policies[i];
    const auto list = nodes[i].get("ends");
    const std::vector<Node> entries = list ? list->items() : std::vector<Node>();
    if (entries.size() != policy.ends.size()) continue;
    for (std::size_t j = 0; j < entries.size(); ++j) {
      const EndsRule& rule = policy.ends[j];
      const auto named = entries[j].get("fingerprint");
      // What could not be read of it has been reported.
      if (!named || named->items().size() != rule.fingerprint.size()) continue;
      const bool any = std::any_of(policies.begin(), policies.end(), [&](const Policy& other) {
        return may_name(rule, policy, other);
      });
      if (any) continue;
      named->problem("names no operation: no policy of its namespace has a fingerprint of " +
                     fields(rule.fingerprint.size()) + " and a scope of " +
                     fields(scope_of(rule, policy).size()));
    }
  }
}

}  // namespace onceproxy::config
