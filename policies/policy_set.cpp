#include "policies/policy_set.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "policies/conditions.hpp"
#include "policies/media_type.hpp"
#include "policies/method_override.hpp"
#include "policies/path_index.hpp"

namespace onceproxy::policies {
namespace {

bool contains(const std::vector<std::string>& methods, std::string_view method) {
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

/// Without the body; unreadable: a form may say that it does.
Truth method_matches(const Match& match, const RequestView& request) {
  if (match.methods.empty() || contains(match.methods, request.method)) return Truth::yes;
  if (!match.method_override) return Truth::no;
  if (head_overrides(request, match.methods)) return Truth::yes;
  return says_form(request) ? Truth::unreadable : Truth::no;
}

/// The same with the body.
Truth method_matches(const Match& match, const RequestView& request, Document& body) {
  const Truth of_head = method_matches(match, request);
  if (of_head != Truth::unreadable) return of_head;
  const auto overriding = overriding_methods(request, body);
  if (!overriding) return Truth::unreadable;
  const bool listed = std::ranges::any_of(
      *overriding, [&](const std::string& method) { return contains(match.methods, method); });
  return listed ? Truth::yes : Truth::no;
}

bool fields_match(const Match& match, const RequestView& request) {
  return std::all_of(match.headers.begin(), match.headers.end(),
                     [&](const HeaderCondition& condition) { return holds(condition, request); });
}

/// Every method that some policy names; empty when one of them takes all, or asks more than it.
std::vector<std::string> all_methods(const std::vector<Policy>& policies) {
  std::vector<std::string> methods;
  for (const Policy& policy : policies) {
    if (policy.match.methods.empty() || policy.match.method_override) return {};
    for (const std::string& method : policy.match.methods) {
      if (!contains(methods, method)) methods.push_back(method);
    }
  }
  return methods;
}

/// Overrides are shared with the configuration, so each gets its index in a copy.
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
    const Truth method = method_matches(policy.match, request);
    if (method == Truth::no || !fields_match(policy.match, request)) continue;
    out.push_back(&policy);
    if (method == Truth::yes && policy.match.where.empty()) break;
  }
  return out;
}

std::vector<const Policy*> PolicySet::on_path(std::string_view method,
                                              std::string_view path) const {
  std::vector<const Policy*> out;
  std::vector<std::uint32_t> found;
  index_->paths.find(path, found);
  std::sort(found.begin(), found.end());
  for (const std::uint32_t i : found) {
    const Match& match = policies_[i].match;
    const bool listed = match.methods.empty() || contains(match.methods, method);
    if (listed || match.method_override) out.push_back(&policies_[i]);
  }
  return out;
}

Choice PolicySet::choose(const std::vector<const Policy*>& candidates, const RequestView& request,
                         Document& body) const {
  Choice choice;
  for (const Policy* policy : candidates) {
    const Truth covers = body_matches(policy->match, request, body);
    if (covers == Truth::yes) {
      choice.covering = policy;
      break;
    }
    if (covers == Truth::unreadable) choice.unclear.push_back(policy);
  }
  return choice;
}

Truth body_matches(const Match& match, const RequestView& request, Document& body) {
  const Truth method = method_matches(match, request, body);
  if (method == Truth::no) return method;
  const Truth where = all_hold(match.where, Subject{match, request, body});
  return where == Truth::yes ? method : where;
}

}  // namespace onceproxy::policies
