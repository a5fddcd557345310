// The generic cell rate algorithm (ITU-T I.371), in whole nanoseconds: a limit of so many at once
// and then one each interval is one point in time, the theoretical arrival time, which is all that
// must be kept. Pure: no clock, no table. Thread-safe as any value is.
#pragma once

#include <chrono>
#include <optional>

#include "store/request.hpp"

namespace onceproxy::store {

/// Wall time, fine enough for thousands of tokens a millisecond apart.
using RateTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// From one token to the next. Above zero.
std::chrono::nanoseconds token_interval(const RateTerms& terms);

/// Takes a token at `now`: nothing, and `arrival` (the theoretical arrival time) is moved on; or
/// the time until there is one, and `arrival` stays. A time that has passed means a full bucket.
std::optional<std::chrono::nanoseconds> take_token(RateTime& arrival, RateTime now,
                                                   const RateTerms& terms);

/// Gives back a token that was taken at `taken`; `last` is when the last one was. What the limit
/// has made up for by itself since, when nobody wanted it, is not given a second time. Exact for
/// the last two tokens; of more, it gives back rather too much than too little.
void give_token_back(RateTime& arrival, std::chrono::nanoseconds interval, RateTime taken,
                     RateTime& last);

}  // namespace onceproxy::store
