// What duplicates and refused requests get: `on_duplicate`, `respond`, `outcome`, `replay`. Pure;
// thread-safe.
#pragma once

#include <optional>

#include "config/kind.hpp"
#include "policies/policy.hpp"
#include "store/terms.hpp"

namespace onceproxy::config {

/// Holds nothing where the stored answer is replayed.
Kind<std::optional<policies::FixedAnswer>> on_duplicate();

/// Holds the refusals that have another answer than the default one.
Kind<policies::Responses> respond();

struct OutcomeDraft {
  policies::OutcomeRules rules;
  store::OnUnknown unknown = store::OnUnknown::retry;
};
Kind<OutcomeDraft> outcome();
/// What holds where `outcome` is not given.
OutcomeDraft default_outcome();

Kind<policies::ReplayRules> replay();

}  // namespace onceproxy::config
