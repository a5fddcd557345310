#include "policies/policy_set.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "policies/conditions.hpp"
#include "policies/path_index.hpp"

namespace onceproxy::policies {
namespace {

bool contains(const std::vector<std::string>& methods, std::string_view method) {
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

bool head_matches(const Match& match, const RequestView& request) {
  if (!match.methods.empty() && !contains(match.methods, request.method)) return false;
  return std::all_of(match.headers.begin(), match.headers.end(),
                     [&](const HeaderCondition& condition) { return holds(condition, request); });
}

/// Every method that some policy names; empty when one of them takes all.
std::vector<std::string> all_methods(const std::vector<Policy>& policies) {
  std::vector<std::string> methods;
  for (const Policy& policy : policies) {
    if (policy.match.methods.empty()) return {};
    for (const std::string& method : policy.match.methods) {
      if (!contains(methods, method)) methods.push_back(method);
    }
  }
  return methods;
}

/// Overrides are shared with whoever made them, so each gets its place in a copy.
void put_in_place(Policy& policy, std::size_t index) {
  policy.index = index;
  for (Override& one : policy.overrides) {
    auto copy = std::make_shared<Policy>(*one.policy);
    copy->index = index;
    one.policy = std::move(copy);
  }
}

}  // namespace

struct PolicySet::Index {
  explicit Index(const std::vector<Policy>& policies)
      : paths(policies), methods(all_methods(policies)) {}

  PathIndex paths;
  std::vector<std::string> methods;
};

PolicySet::PolicySet(std::vector<Policy> policies) : policies_(std::move(policies)) {
  for (std::size_t i = 0; i < policies_.size(); ++i) put_in_place(policies_[i], i);
  index_ = std::make_unique<const Index>(policies_);
}

PolicySet::~PolicySet() = default;

std::vector<const Policy*> PolicySet::candidates(const RequestView& request) const {
  std::vector<const Policy*> out;
  if (policies_.empty()) return out;
  if (!index_->methods.empty() && !contains(index_->methods, request.method)) return out;
  thread_local std::vector<std::uint32_t> found;
  found.clear();
  index_->paths.find(request.path, found);
  std::sort(found.begin(), found.end());
  for (const std::uint32_t i : found) {
    const Policy& policy = policies_[i];
    if (!head_matches(policy.match, request)) continue;
    out.push_back(&policy);
    if (policy.match.where.empty()) break;
  }
  return out;
}

const Policy* PolicySet::choose(const std::vector<const Policy*>& candidates,
                                const RequestView& request, Document& body) const {
  for (const Policy* policy : candidates) {
    if (all_hold(policy->match.where, Subject{policy->match, request, body})) return policy;
  }
  return nullptr;
}

}  // namespace onceproxy::policies
