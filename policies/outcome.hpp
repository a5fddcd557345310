// What an upstream's status says about the operation. Pure.
#pragma once

#include "policies/policy.hpp"

namespace onceproxy::policies {

enum class Verdict {
  complete,   ///< it happened; remember the answer
  release,    ///< it did not happen; free the key
  ambiguous,  ///< answered by something in between; as unknown as no answer
};

/// A single status named in the rules wins over a class; a status named nowhere completes.
Verdict classify(const OutcomeRules& rules, int status);

}  // namespace onceproxy::policies
