// How long a delivery waits before its next attempt: exponential backoff, of which a random share
// is taken off, so that deliveries which failed together do not come back together.
// Pure; thread-safe as any value is.
#pragma once

#include <chrono>
#include <cstdint>

#include "policies/delivery.hpp"

namespace onceproxy::delivery {

using policies::Backoff;

/// After `attempts` attempts (from 1): `initial` doubled with each further one, up to `max`, less
/// a share of it that `random` (0 to 1) chooses.
std::chrono::milliseconds delay(const Backoff& backoff, std::uint32_t attempts, double random);

/// A random number from 0 up to 1 for delay().
double random_share();

}  // namespace onceproxy::delivery
