#include "policies/header_names.hpp"

#include <algorithm>
#include <string_view>

#include "policies/ascii.hpp"
#include "policies/method_override.hpp"

namespace onceproxy::policies {
namespace {

class Names {
 public:
  void add(std::string_view name) {
    std::string lower(name);
    for (char& c : lower) c = ascii_lower(c);
    if (std::ranges::find(names_, lower) == names_.end()) names_.push_back(std::move(lower));
  }

  void add(const Selector& first) {
    for (const Selector* at = &first; at != nullptr; at = at->otherwise.get()) {
      if (at->source == Source::header || at->source == Source::client_key) add(at->name);
    }
  }
  void add(const std::vector<Selector>& selectors) {
    for (const Selector& selector : selectors) add(selector);
  }
  void add(const std::vector<Condition>& conditions) {
    for (const Condition& condition : conditions) add(condition.selector);
  }
  void add(const std::optional<RateLimit>& rate) {
    if (rate) add(rate->by);
  }
  void add(const ReplayRules& replay) {
    for (const ReplaySet& one : replay.set) add(one.from);
  }

  std::vector<std::string> take() { return std::move(names_); }

 private:
  std::vector<std::string> names_;
};

}  // namespace

std::vector<std::string> header_names(const Policy& policy) {
  Names names;
  for (const HeaderCondition& condition : policy.match.headers) names.add(condition.name);
  if (policy.match.method_override) {
    for (const std::string_view name : method_override_fields) names.add(name);
  }
  names.add(policy.match.where);
  names.add(policy.fingerprint);
  names.add(policy.scope);
  names.add(policy.payload);
  if (policy.entity) {
    names.add(policy.entity->id);
    if (policy.entity->sequence) names.add(*policy.entity->sequence);
  }
  for (const EndsRule& rule : policy.ends) {
    names.add(rule.fingerprint);
    if (rule.scope) names.add(*rule.scope);
  }
  names.add(policy.rate_limit);
  names.add(policy.replay);
  for (const Override& one : policy.overrides) {
    names.add(one.where);
    names.add(one.policy->rate_limit);
    names.add(one.policy->replay);
  }
  return names.take();
}

}  // namespace onceproxy::policies
