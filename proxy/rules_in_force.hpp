// RulesInForce: the active rules, and what operators see of them and change. The data port decides
// which requests use which rules. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/admin/policy_endpoints.hpp"
#include "proxy/gate/rules.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy {

class RulesInForce {
 public:
  /// `metrics` and `notes` (nullptr: observations are not kept) must outlive it.
  RulesInForce(std::vector<policies::Policy> policies, telemetry::Metrics& metrics,
               store::Notes* notes)
      : metrics_(metrics),
        notes_(notes),
        rules_(std::make_shared<gate::Rules>(std::move(policies), metrics, nullptr, notes)) {}

  std::shared_ptr<const gate::Rules> get() const;

  /// Creates rules that follow the active ones; follow_with() activates them.
  std::shared_ptr<gate::Rules> next(std::vector<policies::Policy> policies) const;
  void follow_with(std::shared_ptr<gate::Rules> next);

  /// Stores the observations of forwards, to keep them across restarts.
  void keep_estimates() const;
  /// The current lease of each policy, for the metrics.
  std::vector<telemetry::LeaseGauge> leases() const;

  std::vector<admin::PolicyState> list() const;
  /// Changes the enforcement of a policy until the next rules. Nothing if the policy is unknown.
  std::optional<admin::PolicyState> enforce(const std::string& name,
                                            const admin::EnforcementChange& change);

 private:
  telemetry::Metrics& metrics_;
  store::Notes* const notes_;
  mutable std::mutex mutex_;
  std::shared_ptr<gate::Rules> rules_;
};

}  // namespace onceproxy
