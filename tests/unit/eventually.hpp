// Waiting with a bound for what another thread or a server will do. Tests ask for what they wait
// for, and do not assume how long it takes.
#pragma once

#include <chrono>
#include <thread>

namespace onceproxy::testing {

/// Asks again and again, until `condition` holds. False: it does not hold within `time`. A test
/// whose subject is not the time itself uses eventually().
template <typename Condition>
[[nodiscard]] bool within(std::chrono::milliseconds time, Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// Waits for a minute at most. That is far more than anything takes, so that a busy machine fails
/// no test.
template <typename Condition>
[[nodiscard]] bool eventually(Condition&& condition) {
  return within(std::chrono::minutes(1), condition);
}

}  // namespace onceproxy::testing
