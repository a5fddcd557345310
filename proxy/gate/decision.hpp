// Decision: what onceproxy did with a request, as one word that is used in the header, the access
// log and the metrics. Plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "policies/refusal.hpp"

namespace onceproxy::gate {

enum class Decision {
  passed,
  forwarded,
  replayed,
  suppressed,
  accepted,
  in_flight,
  acknowledged,
  mismatch,
  missing_key,
  bad_key,
  unreadable,
  held,
  stale,
  closed,
  rate_limited,
  not_replayable,
  busy,
  store_error,
  upstream_error,
  bad_request,
  preflight,
};

inline constexpr std::size_t decision_count = static_cast<std::size_t>(Decision::preflight) + 1;

/// The decisions from in_flight to bad_request are the refusals, in their order.
constexpr Decision decision_of(policies::Refusal refusal) {
  return static_cast<Decision>(static_cast<int>(Decision::in_flight) + static_cast<int>(refusal));
}
static_assert(decision_of(policies::Refusal::mismatch) == Decision::mismatch);
static_assert(decision_of(policies::Refusal::held) == Decision::held);
static_assert(decision_of(policies::Refusal::bad_request) == Decision::bad_request);

/// The word as users see it, such as "in-flight". Never empty.
constexpr std::string_view name(Decision decision) {
  switch (decision) {
    case Decision::passed:
      return "passed";
    case Decision::forwarded:
      return "forwarded";
    case Decision::replayed:
      return "replayed";
    case Decision::suppressed:
      return "suppressed";
    case Decision::accepted:
      return "accepted";
    case Decision::preflight:
      return "preflight";
    default:
      return policies::standard_refusals[static_cast<std::size_t>(decision) -
                                         static_cast<std::size_t>(Decision::in_flight)]
          .word;
  }
}

/// What was done with a request. If its policy is in shadow mode, also what would have been done.
struct Decided {
  // NOLINTNEXTLINE(google-explicit-constructor): a decision is one without a shadow.
  Decided(Decision what, std::optional<Decision> would = std::nullopt)
      : decision(what), shadow(would) {}

  Decision decision;
  std::optional<Decision> shadow;
};

}  // namespace onceproxy::gate
