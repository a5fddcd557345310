#include "store/gcra.hpp"

#include <algorithm>

namespace onceproxy::store {

std::chrono::nanoseconds token_interval(const RateTerms& terms) {
  const std::chrono::nanoseconds per = terms.per;
  return std::max<std::chrono::nanoseconds>(per / std::max(terms.limit, 1u),
                                            std::chrono::nanoseconds(1));
}

std::optional<std::chrono::nanoseconds> take_token(RateTime& arrival, RateTime now,
                                                   const RateTerms& terms) {
  const auto interval = token_interval(terms);
  // Not `per`: the interval is rounded down, and what is left over must not make room for more
  // than `limit` at once.
  const auto burst = interval * std::max(terms.limit, 1u);
  const RateTime next = std::max(arrival, now) + interval;
  if (next - now > burst) return next - now - burst;
  arrival = next;
  return std::nullopt;
}

void give_token_back(RateTime& arrival, std::chrono::nanoseconds interval, RateTime taken,
                     RateTime& last) {
  const RateTime without = arrival - interval;
  if (taken == last) {
    // Which one was last before is not known any more.
    last = RateTime();
    arrival = without;
    return;
  }
  // The last token that was taken stays taken: an interval counts from its time, whatever is given
  // back.
  arrival = std::min(arrival, std::max(without, last + interval));
}

}  // namespace onceproxy::store
