// Liveness: whether the other instances consider this one alive, and whether this one may take over
// deliveries of others. In the database, the claims of an instance are valid for ten seconds after
// its last sign of life (sql/2_deliver.sql). Here they are valid for eight seconds, measured with
// BootClock from the time at which the sign was sent. Thread-safe; alive() is called on one
// thread.
#pragma once

#include <atomic>
#include <chrono>

#include "store/postgres/boot_clock.hpp"

namespace onceproxy::store {

class Liveness {
 public:
  using SteadyClock = BootClock;
  using Time = SteadyClock::time_point;

  explicit Liveness(std::chrono::milliseconds takeover_after) : takeover_after_(takeover_after) {}

  /// The sign of life that was sent at `sent` was written.
  void alive(Time sent) {
    if (sent - seen_.load() > gap_max) since_.store(sent);
    seen_.store(sent);
  }
  /// Whether a claim that was sent at `sent` is still valid. One from before a gap is not, because
  /// others may have taken the delivery over during the gap.
  bool holds(Time sent, Time now) const {
    // In this order: alive() begins anew before it notes the sign.
    const Time seen = seen_.load();
    return (now < seen + trusted && sent >= since_.load()) || now < sent + trusted_without_sign;
  }
  /// For how long signs have been given without a gap.
  std::chrono::milliseconds unbroken(Time now) const {
    const Time seen = seen_.load();
    if (seen == Time() || now - seen >= gap_max) return std::chrono::milliseconds(0);
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - since_.load());
  }
  /// Whether this instance may conclude that an instance without a sign of life is gone. After an
  /// outage of the database no instance has given one, so all of them first get some time.
  bool may_take_over(Time now) const {
    const Time seen = seen_.load();
    return seen != Time() && now - seen < gap_max && now - since_.load() >= takeover_after_;
  }

 private:
  static constexpr std::chrono::milliseconds gap_max{5'000};
  static constexpr std::chrono::milliseconds trusted{8'000};
  /// begin_delivery() ensures that the last sign is at most five seconds old.
  static constexpr std::chrono::milliseconds trusted_without_sign{4'000};

  const std::chrono::milliseconds takeover_after_;
  std::atomic<Time> seen_{Time()};
  std::atomic<Time> since_{Time()};
};

}  // namespace onceproxy::store
