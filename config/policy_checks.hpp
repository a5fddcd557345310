// Combinations within a policy, and between policies, that cannot be meant: each is a problem with
// the remedy. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/node.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// `node` is the policy's map; what could not be read of it has been reported.
void check_policy(const Node& node, const policies::Policy& policy);

/// Names given twice, and policies that an earlier one leaves nothing to. `node` is the list that
/// the policies were read from, one an item.
void check_policies(const Node& node, const std::vector<policies::Policy>& policies);

}  // namespace onceproxy::config
