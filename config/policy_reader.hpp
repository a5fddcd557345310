// One entry of `policies`, and what only shows when all of them are seen. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<policies::Policy> policy();

/// Names given twice, and policies that an earlier one leaves nothing to. `policies` are those of
/// the list `node` that could be read, in order.
Kind<std::vector<policies::Policy>> policy_list();

}  // namespace onceproxy::config
