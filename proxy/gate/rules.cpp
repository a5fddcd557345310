#include "proxy/gate/rules.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "store/lease.hpp"

namespace onceproxy::gate {

namespace {

using policies::Enforcement;
using policies::Policy;

constexpr std::uint32_t percent_bits = 8;

std::uint32_t packed(Enforcement enforcement) {
  return static_cast<std::uint32_t>(enforcement.mode) << percent_bits |
         static_cast<std::uint32_t>(enforcement.percent);
}

Enforcement unpacked(std::uint32_t word) {
  return {static_cast<Enforcement::Mode>(word >> percent_bits),
          static_cast<int>(word & ((1U << percent_bits) - 1))};
}

/// Over the policy and its overrides.
std::chrono::milliseconds longest(const Policy& policy) {
  std::chrono::milliseconds out = store::remembered_max(policy.terms);
  for (const policies::Override& one : policy.overrides) {
    out = std::max(out, store::remembered_max(one.policy->terms));
  }
  return out;
}

/// Whether a lease of the policy, or of an override, depends on how long its forwards take.
bool follows_forwards(const Policy& policy) {
  return policy.adaptive_lease ||
         std::ranges::any_of(policy.overrides, [](const policies::Override& one) {
           return one.policy->adaptive_lease.has_value();
         });
}

/// The namespaces whose operations some policy's completion ends.
std::set<std::string_view> ended_namespaces(const std::vector<Policy>& policies) {
  std::set<std::string_view> out;
  for (const Policy& policy : policies) {
    for (const policies::EndsRule& rule : policy.ends) {
      out.insert(rule.name_space.empty() ? policy.name_space : rule.name_space);
    }
  }
  return out;
}

std::string note_name(const std::string& policy) {
  return "lease of " + policy;
}

}  // namespace

Rules::Rules(std::vector<Policy> policies, telemetry::Metrics& metrics, const Rules* before,
             const store::Notes* notes)
    : policies_(std::move(policies)),
      turns_(before != nullptr ? before->turns_ : std::make_shared<Turns>()),
      estimates_(before != nullptr ? before->estimates_ : std::make_shared<Estimates>()),
      states_(policies_.policies().size()) {
  std::vector<std::shared_ptr<io::Slots>> turns = turns_->of(policies_.policies());
  const std::set<std::string_view> ended = ended_namespaces(policies_.policies());
  for (const Policy& policy : policies_.policies()) {
    PolicyState& kept = states_[policy.index];
    kept.may_be_ended = ended.contains(policy.name_space);
    kept.id = metrics.policy(policy.name);
    kept.turns = std::move(turns[policy.index]);
    if (follows_forwards(policy)) kept.estimate = estimates_->of(policy, notes);
    if (policy.delivery) kept.listeners = listeners_of(policy, before);
    kept.enforcement = packed(policy.enforcement);
    remembered_max_ = std::max(remembered_max_, longest(policy));
  }
}

Enforcement Rules::enforcement(const Policy& policy) const {
  return unpacked(states_[policy.index].enforcement.load(std::memory_order_relaxed));
}

void Rules::enforce(const Policy& policy, Enforcement enforcement) {
  states_[policy.index].enforcement.store(packed(enforcement), std::memory_order_relaxed);
}

std::chrono::milliseconds Rules::lease(const Policy& policy) const {
  const LeaseEstimate* const estimate = states_[policy.index].estimate.get();
  if (!policy.adaptive_lease || estimate == nullptr) return policy.terms.lease;
  return estimate->lease(*policy.adaptive_lease);
}

std::shared_ptr<Rules::Listeners> Rules::listeners_of(const Policy& policy, const Rules* before) {
  const std::string& file = policy.delivery->listeners_file;
  if (before != nullptr && !file.empty()) {
    for (const Policy& earlier : before->policies().policies()) {
      if (earlier.name == policy.name && earlier.delivery &&
          earlier.delivery->listeners_file == file) {
        return before->states_[earlier.index].listeners;
      }
    }
  }
  return std::make_shared<Listeners>(policy.delivery->listeners);
}

std::shared_ptr<const policies::ListenerList> Rules::listeners(const Policy& policy) const {
  const auto& kept = states_[policy.index].listeners;
  return kept ? kept->get() : nullptr;
}

void Rules::keep_listeners(const Policy& policy,
                           std::shared_ptr<const policies::ListenerList> listeners) const {
  const auto& kept = states_[policy.index].listeners;
  if (kept) kept->set(std::move(listeners));
}

void Rules::keep_estimates(store::Notes& notes) const {
  for (const Policy& policy : policies_.policies()) {
    if (LeaseEstimate* const known = estimate(policy); known != nullptr) {
      notes.keep(note_name(policy.name), known->bytes());
    }
  }
}

std::shared_ptr<LeaseEstimate> Rules::Estimates::of(const Policy& policy,
                                                    const store::Notes* notes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(by_name_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<LeaseEstimate>& known = by_name_[policy.name];
  std::shared_ptr<LeaseEstimate> estimate = known.lock();
  if (estimate) return estimate;
  known = estimate = std::make_shared<LeaseEstimate>();
  const auto kept = notes != nullptr ? notes->note(note_name(policy.name)) : std::nullopt;
  // If the note cannot be read, the estimate begins empty.
  if (kept) static_cast<void>(estimate->restore(*kept));
  return estimate;
}

std::vector<std::shared_ptr<io::Slots>> Rules::Turns::of(const std::vector<Policy>& policies) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<io::Slots>> all;
  for (const Policy& policy : policies) {
    std::shared_ptr<io::Slots>& turns = all.emplace_back();
    if (policy.concurrency_max == 0) continue;
    std::weak_ptr<io::Slots>& known = by_name_[policy.name];
    turns = known.lock();
    if (!turns) known = turns = std::make_shared<io::Slots>(policy.concurrency_max);
  }
  return all;
}

void Rules::Turns::limit(const std::vector<Policy>& policies) {
  const std::lock_guard lock(mutex_);
  std::set<std::string_view> limited;
  for (const Policy& policy : policies) {
    if (policy.concurrency_max == 0) continue;
    limited.insert(policy.name);
    const auto known = by_name_.find(policy.name);
    if (known == by_name_.end()) continue;
    if (const std::shared_ptr<io::Slots> turns = known->second.lock()) {
      turns->set_limit(policy.concurrency_max);
    }
  }
  std::erase_if(by_name_, [&](const auto& entry) {
    if (limited.contains(entry.first)) return false;
    const std::shared_ptr<io::Slots> turns = entry.second.lock();
    // Requests that wait under earlier Rules continue.
    if (turns) turns->set_limit(0);
    return turns == nullptr;
  });
}

std::size_t Rules::Turns::in_use() {
  const std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const auto& [name, slots] : by_name_) {
    if (const std::shared_ptr<io::Slots> turns = slots.lock()) sum += turns->used();
  }
  return sum;
}

}  // namespace onceproxy::gate
