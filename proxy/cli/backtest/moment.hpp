// Times as logs write them. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::backtest {

using Moment = std::chrono::sys_time<std::chrono::microseconds>;

/// RFC 3339 (a space for the T, and an offset without its colon, are taken too), or what
/// parse_epoch() takes. Nothing for anything else, and for years outside 1970 to 2199.
std::optional<Moment> parse_moment(std::string_view text);

/// Digits with an optional fraction: seconds, milliseconds, microseconds or nanoseconds since 1970,
/// distinguished by size: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds.
std::optional<Moment> parse_epoch(std::string_view text);

/// UTC as RFC 3339 writes it, to the millisecond.
std::string moment_text(Moment moment);

}  // namespace onceproxy::backtest
