// The backoff of a delivery: how long it waits before its next attempt. The wait grows
// exponentially and is shortened by a random share, so that deliveries which failed together are
// not retried at the same moment. Pure; thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

#include "policies/delivery.hpp"

namespace onceproxy::delivery {

using policies::Backoff;

/// The wait after `attempts` attempts (from 1): `initial`, doubled for each further attempt, up to
/// `max`. `random` (0 to 1) selects how much of `jitter` is subtracted.
std::chrono::milliseconds delay(const Backoff& backoff, std::uint32_t attempts, double random);

/// A random number for delay(), from 0 (inclusive) to 1 (exclusive).
double random_share();

}  // namespace onceproxy::delivery
