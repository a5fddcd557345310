// The answers for duplicates and refused requests: `on_duplicate`, `respond`, `outcome`, `replay`.
// Pure; thread-safe.
#pragma once

#include <optional>

#include "config/kind.hpp"
#include "policies/policy.hpp"
#include "store/terms.hpp"

namespace onceproxy::config {

/// Absent if the stored answer is replayed.
Kind<std::optional<policies::FixedAnswer>> on_duplicate();

/// Contains the refusals whose answer differs from the default.
Kind<policies::Responses> respond();

struct OutcomeDraft {
  policies::OutcomeRules rules;
  store::OnUnknown unknown = store::OnUnknown::retry;
};
Kind<OutcomeDraft> outcome();
/// The value if `outcome` is not given.
OutcomeDraft default_outcome();

Kind<policies::ReplayRules> replay();

}  // namespace onceproxy::config
