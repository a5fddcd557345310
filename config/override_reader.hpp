// `overrides`: the changes of a policy under certain conditions. Each is read on top of its policy
// and becomes a complete policy. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/policy_rows.hpp"

namespace onceproxy::config {

/// The row in a policy's table. It reads nothing, because an override needs the whole policy.
Key<PolicyDraft> overrides_row();

/// The overrides in the policy's map `node`. `draft`: the policy, complete except for them.
void read_overrides(const Node& node, PolicyDraft& draft);

}  // namespace onceproxy::config
