// `ends`: which operations are forgotten when one of the policy's completes. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// Each of them costs a digest a request, and a look into the store a completion.
inline constexpr std::size_t ends_max = 16;

Kind<std::vector<policies::EndsRule>> ends();

/// Entries that can name no operation of any policy. `node` is the list that the policies were read
/// from, one an item.
void check_ends(const Node& node, const std::vector<policies::Policy>& policies);

}  // namespace onceproxy::config
