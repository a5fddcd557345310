#include "config/policy_reader.hpp"

#include "config/override_reader.hpp"
#include "config/policy_checks.hpp"
#include "config/policy_rows.hpp"
#include "config/presets.hpp"

namespace onceproxy::config {
namespace {

using policies::Policy;
using policies::Selector;

bool has_client_key(const Policy& policy) {
  for (const Selector& selector : policy.fingerprint) {
    if (selector.source == policies::Source::client_key) return true;
  }
  return false;
}

std::vector<Selector> whole_request() {
  std::vector<Selector> selectors(3);
  selectors[0].source = policies::Source::method;
  selectors[0].text = "method: true";
  selectors[1].source = policies::Source::target;
  selectors[1].text = "target: true";
  selectors[2].source = policies::Source::content;
  selectors[2].text = "content: true";
  return selectors;
}

void complete(const Node& node, PolicyDraft& draft) {
  Policy& policy = draft.policy;
  if (!node.get("namespace")) policy.name_space = policy.name;
  if (!node.get("on_unreadable")) policy.on_unreadable = policy.on_missing;
  if (!node.get("payload") && has_client_key(policy)) policy.payload = whole_request();
  read_overrides(node, draft);
  check_policy(node, policy);
}

}  // namespace

Kind<Policy> policy() {
  Keys<PolicyDraft> keys{"a policy", naming_rows()};
  for (Key<PolicyDraft>& row : treatment_rows()) keys.rows.push_back(std::move(row));
  for (Key<PolicyDraft>& row : general_rows()) keys.rows.push_back(std::move(row));
  keys.rows.push_back(overrides_row());
  const Kind<PolicyDraft> draft = section<PolicyDraft>(std::move(keys), complete);
  Kind<Policy> kind;
  kind.names = draft.names;
  kind.schema = [draft] {
    Json schema = draft.schema();
    set_member(schema, "required", JsonArray({"name"}));
    set_member(schema, "anyOf",
               JsonArray({JsonObject({{"required", JsonArray({"fingerprint"})}}),
                          JsonObject({{"required", JsonArray({"preset"})}})}));
    return schema;
  };
  kind.read = [draft](const Node& node) -> std::optional<Policy> {
    auto value = draft.read(with_preset(node));
    if (!value) return std::nullopt;
    value->policy.earlier = earlier_selection(node, value->policy);
    return std::move(value->policy);
  };
  return kind;
}

Kind<std::vector<Policy>> policy_list() {
  Kind<std::vector<Policy>> kind = list("policies", policy());
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (value && value->size() == node.items().size()) check_policies(node, *value);
    return value;
  };
  return kind;
}

}  // namespace onceproxy::config
