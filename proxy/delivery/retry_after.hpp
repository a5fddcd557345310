// Retry-After (RFC 9110 10.2.3): seconds, or a date in one of the three formats of RFC 9110 5.6.7.
// Pure; thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace onceproxy::delivery {

/// No answer delays an attempt for longer, whatever it asks for.
inline constexpr std::chrono::hours retry_after_max{24};

/// How long the answer asks to be left alone; zero for a date that is past. Nothing: not a value
/// of that field. `now`: the wall clock, in seconds since 1970.
std::optional<std::chrono::seconds> retry_after(std::string_view value, std::chrono::seconds now);

}  // namespace onceproxy::delivery
