// RulesInForce: the rules that requests are served by now, and what operators see of them and
// change while they are. Which requests are served by which is the data port's to say. Thread-safe.
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
  /// `metrics` and `notes` (null: nothing is kept) outlive it.
  RulesInForce(std::vector<policies::Policy> policies, telemetry::Metrics& metrics,
               store::Notes* notes)
      : metrics_(metrics),
        notes_(notes),
        rules_(std::make_shared<gate::Rules>(std::move(policies), metrics, nullptr, notes)) {}

  std::shared_ptr<const gate::Rules> get() const;

  /// Rules that follow those in force, for follow_with() once they are served by.
  std::shared_ptr<gate::Rules> next(std::vector<policies::Policy> policies) const;
  void follow_with(std::shared_ptr<gate::Rules> next);

  /// Hands over what was observed of forwards, to be kept across restarts.
  void keep_estimates() const;
  /// Each policy's lease now, for the metrics.
  std::vector<telemetry::LeaseGauge> leases() const;

  std::vector<admin::PolicyState> list() const;
  /// Until others follow. Nothing for an unknown policy.
  std::optional<admin::PolicyState> enforce(const std::string& name,
                                            const admin::EnforcementChange& change);

 private:
  telemetry::Metrics& metrics_;
  store::Notes* const notes_;
  mutable std::mutex mutex_;
  std::shared_ptr<gate::Rules> rules_;
};

}  // namespace onceproxy
