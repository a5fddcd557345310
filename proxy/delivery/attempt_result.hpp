// The result of an attempt that follows from an answer, or from a missing answer. Pure;
// thread-safe.
#pragma once

#include "policies/outcome.hpp"
#include "policies/policy.hpp"

namespace onceproxy::delivery {

enum class AttemptResult {
  notified,  ///< done
  retry,     ///< again later, or dead when the attempts are used up
  dead,      ///< no further attempt will help
  hold,      ///< the outcome is unknown, and an operator must decide
};

/// For a listener: 2xx is notified, 410 is dead at once, because the listener says that it no
/// longer exists, and all other statuses are retried.
constexpr AttemptResult judge_listener(int status) {
  if (status >= 200 && status < 300) return AttemptResult::notified;
  return status == 410 ? AttemptResult::dead : AttemptResult::retry;
}

/// Whether the status shows that the listener cannot accept deliveries now. The circuit counts
/// these answers.
constexpr bool is_trouble(int status) {
  return status == 408 || status == 429 || status >= 500;
}

/// For `to: upstream`: interprets the result of the policy's `outcome`. An answer that completes
/// the operation ends the delivery, also with an error status. `holds`: whether outcome.unknown is
/// hold.
AttemptResult judge_upstream(policies::Verdict verdict, bool holds);

/// The request was sent, at least in part, and there was no answer. A listener can recognize a
/// repeat by its key, so the delivery is always retried.
constexpr AttemptResult judge_unanswered(bool to_upstream, bool holds) {
  return to_upstream && holds ? AttemptResult::hold : AttemptResult::retry;
}

}  // namespace onceproxy::delivery
