#include "config/differences.hpp"

#include <algorithm>
#include <memory>

#include "config/reading.hpp"
#include "config/yaml.hpp"

namespace onceproxy::config {
namespace {

const YamlValue* member(const YamlValue& map, std::string_view key) {
  const auto found = std::ranges::find(map.entries, key, &YamlEntry::key);
  return found == map.entries.end() ? nullptr : found->item.value.get();
}

/// The order of a map's keys says nothing, that of a list's values may.
bool same(const YamlValue& a, const YamlValue& b) {
  const auto same_item = [](const YamlItem& x, const YamlItem& y) {
    return same(*x.value, *y.value);
  };
  const auto in_b = [&b](const YamlEntry& entry) {
    const YamlValue* const other = member(b, entry.key);
    return other != nullptr && same(*entry.item.value, *other);
  };
  return a.kind == b.kind && a.plain == b.plain && a.text == b.text &&
         std::ranges::equal(a.items, b.items, same_item) && a.entries.size() == b.entries.size() &&
         std::ranges::all_of(a.entries, in_b);
}

std::shared_ptr<const YamlValue> parsed(std::string_view text, const Environment& environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reading reading(text, "", {});
  const auto root = parse_yaml(text, environment, reading);
  return root ? root->value : std::make_shared<const YamlValue>();
}

/// A list's values under their names.
struct Named {
  std::string name;
  const YamlValue* value;
};

std::vector<Named> policies_of(const YamlValue& root) {
  std::vector<Named> all;
  const YamlValue* const list = member(root, "policies");
  if (list == nullptr) return all;
  for (const YamlItem& item : list->items) {
    const YamlValue* const name = member(*item.value, "name");
    all.push_back({name != nullptr ? name->text : "", item.value.get()});
  }
  return all;
}

void compare_policies(const YamlValue& before, const YamlValue& after,
                      std::vector<std::string>& out) {
  const std::vector<Named> old = policies_of(before);
  const std::vector<Named> fresh = policies_of(after);
  const auto in = [](const std::vector<Named>& all, const std::string& name) {
    return std::ranges::find(all, name, &Named::name);
  };
  std::vector<std::string_view> old_order, fresh_order;
  for (const Named& policy : fresh) {
    const auto known = in(old, policy.name);
    if (known == old.end()) {
      out.push_back("policy " + policy.name + " (new)");
      continue;
    }
    fresh_order.push_back(policy.name);
    if (!same(*known->value, *policy.value)) out.push_back("policy " + policy.name);
  }
  for (const Named& policy : old) {
    if (in(fresh, policy.name) == fresh.end()) {
      out.push_back("policy " + policy.name + " (gone)");
    } else {
      old_order.push_back(policy.name);
    }
  }
  if (old_order != fresh_order) out.emplace_back("the order of policies");
}

}  // namespace

std::vector<std::string> differences(std::string_view before, std::string_view after,
                                     const Environment& environment) {
  std::vector<std::string> out;
  const auto old = parsed(before, environment);
  const auto fresh = parsed(after, environment);
  for (const YamlEntry& entry : fresh->entries) {
    if (entry.key == "policies") continue;
    const YamlValue* const known = member(*old, entry.key);
    if (known == nullptr || !same(*known, *entry.item.value)) out.push_back(entry.key);
  }
  for (const YamlEntry& entry : old->entries) {
    if (entry.key == "policies" || member(*fresh, entry.key) != nullptr) continue;
    out.push_back(entry.key);
  }
  compare_policies(*old, *fresh, out);
  return out;
}

}  // namespace onceproxy::config
