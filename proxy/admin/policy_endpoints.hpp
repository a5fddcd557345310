// GET /policies and PATCH /policies/{name}/enforcement: shows the policies, and lets an operator
// change the enforcement of a policy while the program runs. The program has the state.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/admin/server.hpp"

namespace onceproxy::admin {

/// The word in the configuration.
std::string_view mode_name(policies::Enforcement::Mode mode);

/// The basis of an adaptive lease.
struct AdaptiveLeaseState {
  /// Absent if only an override has an adaptive lease.
  std::optional<policies::AdaptiveLease> rule;
  /// The number of counted forwards, and the 99th percentile of their duration.
  std::uint32_t observed = 0;
  std::chrono::milliseconds percentile99{0};
};

struct PolicyState {
  std::string name;
  std::string name_space;
  policies::Enforcement in_force;
  /// The value in the configuration, which applies again after the next reload.
  policies::Enforcement configured;
  /// The lease that a reservation gets now.
  std::chrono::milliseconds lease{0};
  std::optional<AdaptiveLeaseState> adaptive_lease = std::nullopt;
};

/// The change that an operator requests; absent values stay the same.
struct EnforcementChange {
  std::optional<policies::Enforcement::Mode> mode;
  /// 0 to 100.
  std::optional<int> percent;
};

/// The functions run on the server's thread and must be quick.
struct PolicyHooks {
  /// The policies in the order of the configuration.
  std::function<std::vector<PolicyState>()> list;
  /// The policy after the change; nothing if it is unknown.
  std::function<std::optional<PolicyState>(const std::string& name,
                                           const EnforcementChange& change)>
      enforce;
};

void add_policy_endpoints(Server& server, PolicyHooks hooks);

}  // namespace onceproxy::admin
