// What an answer, or the lack of one, means for a delivery. Pure; thread-safe.
#pragma once

#include "policies/outcome.hpp"
#include "policies/policy.hpp"

namespace onceproxy::delivery {

enum class Verdict {
  notified,  ///< done
  retry,     ///< again later, or dead when the attempts are used up
  dead,      ///< no further attempt will help
  hold,      ///< nobody knows whether it happened, and only an operator may decide
};

/// Of a listener: 2xx is notified, 410 dead at once (the listener says that it is gone for good),
/// all else is retried.
constexpr Verdict judge_listener(int status) {
  if (status >= 200 && status < 300) return Verdict::notified;
  return status == 410 ? Verdict::dead : Verdict::retry;
}

/// Whether an answer shows that the listener cannot take deliveries now: its circuit counts it.
constexpr bool is_trouble(int status) {
  return status == 408 || status == 429 || status >= 500;
}

/// Of `to: upstream`: what the policy's `outcome` says. A status that completes is done, whatever
/// it is: the service has decided. `holds`: outcome.unknown is hold.
Verdict judge_upstream(policies::Verdict verdict, bool holds);

/// Sent, perhaps in part, and not answered. For a listener it is a retry always, since its key lets
/// it recognise the repeat.
constexpr Verdict judge_unanswered(bool to_upstream, bool holds) {
  return to_upstream && holds ? Verdict::hold : Verdict::retry;
}

}  // namespace onceproxy::delivery
