#include "proxy/delivery/backoff.hpp"

#include <algorithm>
#include <cmath>

#include "store/random.hpp"

namespace onceproxy::delivery {

std::chrono::milliseconds delay(const Backoff& backoff, std::uint32_t attempts, double random) {
  std::chrono::milliseconds base = std::min(backoff.initial, backoff.max);
  // The doubling stops at the maximum, so it cannot overflow.
  for (std::uint32_t i = 1; i < attempts && base < backoff.max && base.count() > 0; ++i) {
    base = base > backoff.max / 2 ? backoff.max : base * 2;
  }
  const double share = std::clamp(backoff.jitter, 0.0, 1.0) * std::clamp(random, 0.0, 1.0);
  const double kept = static_cast<double>(base.count()) * (1.0 - share);
  return std::chrono::milliseconds(std::llround(kept));
}

double random_share() {
  // A double represents 53 bits exactly.
  constexpr int bits = 53;
  return std::ldexp(static_cast<double>(store::random_number() >> (64 - bits)), -bits);
}

}  // namespace onceproxy::delivery
