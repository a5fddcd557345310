// `overrides`: what a policy does otherwise where conditions hold. Each is read on top of the
// policy that it stands in and becomes a whole one. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/policy_rows.hpp"

namespace onceproxy::config {

/// The row of a policy's table. It reads nothing: an override needs the whole policy.
Key<PolicyDraft> overrides_row();

/// The overrides in the policy's map `node`. `draft` is the policy, complete but for them.
void read_overrides(const Node& node, PolicyDraft& draft);

}  // namespace onceproxy::config
