#include "proxy/rules_in_force.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

admin::PolicyState state_of(const gate::Rules& rules, const policies::Policy& policy) {
  admin::PolicyState state{policy.name, policy.name_space, rules.enforcement(policy),
                           policy.enforcement, rules.lease(policy)};
  if (const auto* const estimate = rules.estimate(policy)) {
    state.adaptive_lease = admin::AdaptiveLeaseState{policy.adaptive_lease, estimate->observed(),
                                                     estimate->percentile99()};
  }
  return state;
}

}  // namespace

std::shared_ptr<const gate::Rules> RulesInForce::get() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

std::shared_ptr<gate::Rules> RulesInForce::next(std::vector<policies::Policy> policies) const {
  return std::make_shared<gate::Rules>(std::move(policies), metrics_, get().get(), notes_);
}

void RulesInForce::follow_with(std::shared_ptr<gate::Rules> next) {
  const std::lock_guard lock(mutex_);
  rules_.swap(next);
}

void RulesInForce::keep_estimates() const {
  if (notes_ != nullptr) get()->keep_estimates(*notes_);
}

std::vector<telemetry::LeaseGauge> RulesInForce::leases() const {
  const std::shared_ptr<const gate::Rules> rules = get();
  std::vector<telemetry::LeaseGauge> all;
  for (const policies::Policy& policy : rules->policies().policies()) {
    all.push_back({policy.name, std::chrono::duration<double>(rules->lease(policy)).count()});
  }
  return all;
}

std::vector<admin::PolicyState> RulesInForce::list() const {
  const std::shared_ptr<const gate::Rules> rules = get();
  std::vector<admin::PolicyState> all;
  for (const policies::Policy& policy : rules->policies().policies()) {
    all.push_back(state_of(*rules, policy));
  }
  return all;
}

std::optional<admin::PolicyState> RulesInForce::enforce(const std::string& name,
                                                        const admin::EnforcementChange& change) {
  // Under the lock: two changes of one policy are not lost in each other.
  const std::lock_guard lock(mutex_);
  const auto& policies = rules_->policies().policies();
  const auto policy = std::ranges::find(policies, name, &policies::Policy::name);
  if (policy == policies.end()) return std::nullopt;
  policies::Enforcement enforcement = rules_->enforcement(*policy);
  enforcement.mode = change.mode.value_or(enforcement.mode);
  enforcement.percent = change.percent.value_or(enforcement.percent);
  rules_->enforce(*policy, enforcement);
  telemetry::log(telemetry::LogLevel::warn,
                 "enforcement changed by an operator, until the next reload",
                 {{"policy", name},
                  {"mode", admin::mode_name(enforcement.mode)},
                  {"percent", std::int64_t{enforcement.percent}}});
  return state_of(*rules_, *policy);
}

}  // namespace onceproxy
