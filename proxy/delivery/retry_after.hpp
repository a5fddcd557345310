// Retry-After (RFC 9110 10.2.3): seconds, or a date in one of the three formats of RFC 9110 5.6.7.
// Pure; thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace onceproxy::delivery {

/// The longest delay that an answer can request.
inline constexpr std::chrono::hours retry_after_max{24};

/// The delay that the answer requests; zero for a date in the past; nothing if the value is not
/// valid. `now`: the wall clock, in seconds since 1970.
std::optional<std::chrono::seconds> retry_after(std::string_view value, std::chrono::seconds now);

}  // namespace onceproxy::delivery
