// BootClock: a steady clock that also counts while the machine is suspended, as the database's
// does. Leases, answers in memory and deadlines are measured with it: after a suspension they are
// over. std::chrono::steady_clock stands still then (CLOCK_MONOTONIC). Thread-safe.
#pragma once

#include <time.h>

#include <chrono>

namespace onceproxy::store {

struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }
};

}  // namespace onceproxy::store
