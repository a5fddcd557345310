// Refusals: the answers that a policy's `respond` can replace, each with its word and default
// status. The configuration reader, the decisions and the answers use this one table
// (proxy/http/PROTOCOL.md: Decisions). Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace onceproxy::policies {

/// In the order of proxy/http/PROTOCOL.md.
enum class Refusal {
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
};
inline constexpr std::size_t refusal_count = static_cast<std::size_t>(Refusal::bad_request) + 1;

struct StandardRefusal {
  /// The word of the decision and the configuration.
  std::string_view word;
  /// The default status. Some cases have another one: an upstream that is late is 504, a head that
  /// is too large 431.
  int status;
  /// The whole body, as application/json; empty: a problem (RFC 9457) with its own text.
  std::string_view body = {};
};

inline constexpr std::array<StandardRefusal, refusal_count> standard_refusals{{
    {"in-flight", 409},
    {"acknowledged", 202, R"({"status":"accepted","reason":"in-flight"})"},
    {"mismatch", 422},
    {"missing-key", 400},
    {"bad-key", 400},
    {"unreadable", 400},
    {"held", 409},
    {"stale", 200, R"({"status":"ignored","reason":"stale"})"},
    {"closed", 200, R"({"status":"ignored","reason":"closed"})"},
    {"rate-limited", 429},
    {"not-replayable", 409},
    {"busy", 503},
    {"store-error", 503},
    {"upstream-error", 502},
    {"bad-request", 400},
}};

constexpr const StandardRefusal& standard(Refusal refusal) {
  return standard_refusals[static_cast<std::size_t>(refusal)];
}

}  // namespace onceproxy::policies
