#include "config/override_reader.hpp"

#include <algorithm>
#include <memory>

#include "config/condition_reader.hpp"
#include "config/match_reader.hpp"
#include "config/selector_reader.hpp"
#include "config/text.hpp"

namespace onceproxy::config {
namespace {

using policies::Condition;
using policies::Policy;

struct OverrideDraft {
  std::vector<Condition> where;
  PolicyDraft policy;
};

/// What is not replaced stays the policy's, so a default would be wrong in the schema.
Key<OverrideDraft> override_row(const Key<PolicyDraft>& row) {
  Key<OverrideDraft> out;
  out.name = row.name;
  out.names = row.names;
  out.read = [read = row.read](const Node& node, OverrideDraft& draft) {
    read(node, draft.policy);
  };
  out.schema = [schema = row.schema] {
    Json json = schema();
    json.as_object().stable_erase("default");
    return json;
  };
  return out;
}

/// The names of what may be replaced.
std::vector<std::string> replaceable() {
  std::vector<std::string> names;
  for (const auto& row : treatment_rows()) names.push_back(row.name);
  return names;
}

Keys<OverrideDraft> override_keys() {
  Keys<OverrideDraft> keys{"an override", {}};
  keys.rows.push_back(key<OverrideDraft>("where", &OverrideDraft::where, one_or_more_conditions(),
                                         "A condition on a selected field, or a list of them; all "
                                         "must hold.",
                                         Need::required));
  for (const auto& row : treatment_rows()) keys.rows.push_back(override_row(row));
  for (const auto& rows : {naming_rows(), general_rows()}) {
    for (const auto& row : rows) keys.misplaced.push_back(row.name);
  }
  keys.misplaced.emplace_back("overrides");
  keys.misplaced_message = "cannot be overridden; an override may contain " + one_of(replaceable());
  return keys;
}

const Keys<OverrideDraft>& override_table() {
  static const Keys<OverrideDraft> table = override_keys();
  return table;
}

/// A condition that an earlier override asks too leaves nothing to this one.
void check_reached(const std::vector<Node>& nodes, const Policy& policy) {
  const auto& overrides = policy.overrides;
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!covers(overrides[j].where, overrides[i].where)) continue;
      nodes[i].problem("never applies: overrides[" + std::to_string(j) +
                       "] applies to the same requests and stands first; put this one before it, "
                       "or narrow its `where`");
      break;
    }
  }
}

}  // namespace

Key<PolicyDraft> overrides_row() {
  Key<PolicyDraft> row;
  row.name = "overrides";
  row.read = [](const Node&, PolicyDraft&) {};
  row.schema = [] {
    Json item = schema_of(override_table());
    set_member(item, "minProperties", 2);
    return JsonObject({{"type", "array"},
                       {"items", std::move(item)},
                       {"minItems", 1},
                       {"description",
                        "Other values of keys for some requests. The first entry whose `where` "
                        "holds replaces the keys that it contains."}});
  };
  row.names.push_back(names_of(override_table()));
  for (const auto& inner : override_table().rows) {
    row.names.insert(row.names.end(), inner.names.begin(), inner.names.end());
  }
  return row;
}

void read_overrides(const Node& node, PolicyDraft& draft) {
  const auto list = node.get("overrides");
  if (!list) return;
  if (!list->is_list()) return list->expected("a list of overrides");
  const std::vector<Node> items = list->items();
  if (items.empty()) list->problem("the list of overrides is empty");
  const PolicyDraft base = draft;
  for (const Node& item : items) {
    OverrideDraft override{{}, base};
    if (!read_keys(item, override_table(), override)) continue;
    const std::vector<Node::Entry> entries = item.entries();
    const bool replaces = std::any_of(entries.begin(), entries.end(),
                                      [](const auto& entry) { return entry.key != "where"; });
    if (!replaces) {
      item.problem("the override replaces nothing; give it one of " + one_of(replaceable()));
    }
    draft.policy.overrides.push_back(
        {std::move(override.where),
         std::make_shared<const Policy>(std::move(override.policy.policy))});
  }
  const bool all_read = std::none_of(draft.policy.overrides.begin(), draft.policy.overrides.end(),
                                     [](const auto& override) { return override.where.empty(); });
  if (all_read && draft.policy.overrides.size() == items.size()) check_reached(items, draft.policy);
}

}  // namespace onceproxy::config
