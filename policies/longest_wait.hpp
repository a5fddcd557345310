// How long a request may wait before it is decided: for a duplicate's outcome, for the turn of its
// entity, and for listeners that have to acknowledge an event. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "policies/policy.hpp"

namespace onceproxy::policies {

/// The sum of the waits that the policy allows; the longest of its overrides if one allows more.
inline std::chrono::milliseconds longest_wait(const Policy& policy) {
  std::chrono::milliseconds wait{0};
  if (policy.in_flight.action == InFlightRule::Action::wait) wait += policy.in_flight.timeout;
  if (policy.entity) wait += policy.entity->wait;
  if (policy.delivery && policy.delivery->acknowledge.when != Acknowledge::When::stored) {
    wait += policy.delivery->acknowledge.timeout;
  }
  for (const Override& one : policy.overrides) wait = std::max(wait, longest_wait(*one.policy));
  return wait;
}

}  // namespace onceproxy::policies
