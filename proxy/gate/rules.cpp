#include "proxy/gate/rules.hpp"

#include <set>
#include <utility>

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

}  // namespace

Rules::Rules(std::vector<Policy> policies, telemetry::Metrics& metrics, const Rules* before)
    : policies_(std::move(policies)),
      turns_(before != nullptr ? before->turns_ : std::make_shared<Turns>()),
      states_(policies_.policies().size()) {
  std::vector<std::shared_ptr<io::Slots>> turns = turns_->of(policies_.policies());
  for (const Policy& policy : policies_.policies()) {
    PolicyState& kept = states_[policy.index];
    kept.id = metrics.policy(policy.name);
    kept.turns = std::move(turns[policy.index]);
    kept.enforcement = packed(policy.enforcement);
  }
}

Enforcement Rules::enforcement(const Policy& policy) const {
  return unpacked(states_[policy.index].enforcement.load(std::memory_order_relaxed));
}

void Rules::enforce(const Policy& policy, Enforcement enforcement) {
  states_[policy.index].enforcement.store(packed(enforcement), std::memory_order_relaxed);
}

std::vector<std::shared_ptr<io::Slots>> Rules::Turns::of(const std::vector<Policy>& policies) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<io::Slots>> all;
  std::set<std::string_view> limited;
  for (const Policy& policy : policies) {
    std::shared_ptr<io::Slots>& turns = all.emplace_back();
    if (policy.concurrency_max == 0) continue;
    limited.insert(policy.name);
    turns = by_name_[policy.name].lock();
    if (turns) {
      turns->set_limit(policy.concurrency_max);
    } else {
      by_name_[policy.name] = turns = std::make_shared<io::Slots>(policy.concurrency_max);
    }
  }
  std::erase_if(by_name_, [&](const auto& entry) {
    if (limited.contains(entry.first)) return false;
    const std::shared_ptr<io::Slots> turns = entry.second.lock();
    // Whoever waits under earlier Rules goes on.
    if (turns) turns->set_limit(0);
    return turns == nullptr;
  });
  return all;
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
