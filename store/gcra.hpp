// The generic cell rate algorithm (ITU-T I.371), in whole nanoseconds. A limit allows a number of
// operations at once and then one per interval. Its whole state is one point in time, the
// theoretical arrival time. Pure: no clock, no table. Thread-safe.
#pragma once

#include <chrono>
#include <optional>

#include "store/request.hpp"

namespace onceproxy::store {

/// Wall time with a resolution that is fine enough for thousands of tokens per millisecond.
using RateTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// The time between two tokens. Above zero.
std::chrono::nanoseconds token_interval(const RateTerms& terms);

/// Takes a token at `now`: returns nothing and moves `arrival` (the theoretical arrival time) on.
/// If there is no token, returns the time until there is one, and `arrival` stays the same. A time
/// in the past means a full bucket.
std::optional<std::chrono::nanoseconds> take_token(RateTime& arrival, RateTime now,
                                                   const RateTerms& terms);

/// Returns a token that was taken at `taken`; `last`: when the last one was taken. Tokens that the
/// bucket has regained since then are not returned a second time. It is exact for the last two
/// tokens; with more it returns slightly too much.
void give_token_back(RateTime& arrival, std::chrono::nanoseconds interval, RateTime taken,
                     RateTime& last);

}  // namespace onceproxy::store
