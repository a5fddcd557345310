// What cannot be beside `delivery`: in a policy, among all of them, in the store. Pure;
// thread-safe.
#pragma once

#include <vector>

#include "config/node.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// In a policy. `node` is the policy's map.
void check_delivery(const Node& node, const policies::Policy& policy);

/// One name is one listener in all policies. `node` is their list.
void check_listeners(const Node& node, const std::vector<policies::Policy>& policies);

}  // namespace onceproxy::config
