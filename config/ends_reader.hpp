// `ends`: the operations that are forgotten when an operation of the policy completes. Pure;
// thread-safe.
#pragma once

#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// Each entry costs a digest for each request and a lookup in the store for each completion.
inline constexpr std::size_t ends_max = 16;

Kind<std::vector<policies::EndsRule>> ends();

/// Reports entries that cannot match an operation of any policy. `node`: the list from which the
/// policies were read, one per item.
void check_ends(const Node& node, const std::vector<policies::Policy>& policies);

}  // namespace onceproxy::config
