// Reads the entries of `policies`, and checks all of them together. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<policies::Policy> policy();

/// Reports duplicate names, and policies that an earlier policy covers completely. `policies`:
/// those of the list `node` that could be read, in order.
Kind<std::vector<policies::Policy>> policy_list();

}  // namespace onceproxy::config
