// What the admin port shows of the policies, and how an operator changes the enforcement of one
// while the program runs: GET /policies and PATCH /policies/{name}/enforcement. It keeps nothing of
// its own; what is in force is the program's to say.
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

/// As the configuration spells it.
std::string_view mode_name(policies::Enforcement::Mode mode);

/// What an adaptive lease is made of.
struct AdaptiveLeaseState {
  /// Nothing where only an override's lease is adaptive.
  std::optional<policies::AdaptiveLease> rule;
  /// Forwards that count now, and the 99th percentile of how long they took.
  std::uint32_t observed = 0;
  std::chrono::milliseconds percentile99{0};
};

struct PolicyState {
  std::string name;
  std::string name_space;
  policies::Enforcement in_force;
  /// As the configuration says: what the next reload goes back to.
  policies::Enforcement configured;
  /// The lease that a reservation gets now.
  std::chrono::milliseconds lease{0};
  std::optional<AdaptiveLeaseState> adaptive_lease = std::nullopt;
};

/// What an operator asks for; what is absent stays as it is.
struct EnforcementChange {
  std::optional<policies::Enforcement::Mode> mode;
  /// 0 to 100.
  std::optional<int> percent;
};

/// Run on the server's thread and must be quick.
struct PolicyHooks {
  /// In the configuration's order.
  std::function<std::vector<PolicyState>()> list;
  /// The policy as it is then; nothing for an unknown one.
  std::function<std::optional<PolicyState>(const std::string& name,
                                           const EnforcementChange& change)>
      enforce;
};

void add_policy_endpoints(Server& server, PolicyHooks hooks);

}  // namespace onceproxy::admin
