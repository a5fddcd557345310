// Reports combinations within a policy and between policies that cannot be intended, each with a
// remedy. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/node.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// `node`: the policy's map. Values that could not be read have been reported.
void check_policy(const Node& node, const policies::Policy& policy);

/// Reports duplicate names, and policies that an earlier policy covers completely. `node`: the list
/// from which the policies were read, one per item.
void check_policies(const Node& node, const std::vector<policies::Policy>& policies);

}  // namespace onceproxy::config
