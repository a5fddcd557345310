// Decision: what onceproxy did with a request, in one word that the header, the access log and the
// metrics share. Plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace onceproxy::gate {

enum class Decision {
  passed,
  forwarded,
  replayed,
  suppressed,
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

/// As users read it: "in-flight". Never empty.
constexpr std::string_view name(Decision decision) {
  constexpr std::string_view names[] = {
      "passed",       "forwarded",   "replayed",       "suppressed",   "in-flight",
      "acknowledged", "mismatch",    "missing-key",    "bad-key",      "unreadable",
      "held",         "stale",       "closed",         "rate-limited", "not-replayable",
      "busy",         "store-error", "upstream-error", "bad-request",  "preflight"};
  static_assert(sizeof names / sizeof *names == decision_count);
  return names[static_cast<std::size_t>(decision)];
}

/// What was done with a request, and, where its policy is in shadow mode, what would have been
/// done with it.
struct Decided {
  // NOLINTNEXTLINE(google-explicit-constructor): a decision is one without a shadow.
  Decided(Decision what, std::optional<Decision> would = std::nullopt)
      : decision(what), shadow(would) {}

  Decision decision;
  std::optional<Decision> shadow;
};

}  // namespace onceproxy::gate
