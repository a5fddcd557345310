// StoreClock: the clock that programs open a store with. Within a boot of the machine its time
// advances with CLOCK_BOOTTIME, which cannot be set and which counts suspension too, across
// restarts of the process as well. The wall clock is asked only where that is of no help:
//
// - At the first start in another boot, for how long the machine was down. It is believed from the
//   time that the database kept (less a minute, for clocks that drift) to ClockTrust::ahead_max
//   later; or where it stands to that time as it last did. Otherwise the store's time goes on from
//   what was kept, in doubt: nothing is purged until the wall clock can be believed, which ends the
//   doubt as a start would have, or until a start with ClockTrust::accept.
// - While it runs, to follow it: where the two are apart, since the wall clock was set, the store's
//   time approaches it by one part in 2,000, as fast as the kernel itself slews clocks
//   (adjtime(3)). A lease of 30 s then ends at most 15 ms early, a window of a day 43 s.
//
// now() never goes back, whatever the wall clock does. An operator who accepts a wall clock that is
// behind leaves the store's time ahead of it; that is kept, and does not cause doubt again.
//
// Thread-safe; tick() is for one thread. now() costs one reading of CLOCK_BOOTTIME, no lock.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "store/clock.hpp"

namespace onceproxy::store {

/// What a clock reads, so that tests can turn it. The functions are called from any thread.
struct TimeSources {
  std::function<WallTime()> wall;
  /// CLOCK_BOOTTIME.
  std::function<std::chrono::nanoseconds()> since_boot;
  BootId boot{};
};
TimeSources system_time();

/// How far the wall clock may be apart from the store's time without a word.
inline constexpr std::chrono::minutes clocks_apart_max{1};
/// Of so much time, the store's approaches the wall clock by one part.
inline constexpr int slew_parts = 2'000;

/// Where a start begins.
struct ClockStart {
  WallTime time{};
  std::chrono::milliseconds ahead{};
  bool doubted = false;
};
/// Pure: what a start with `kept` makes of the clocks as they are.
ClockStart start_clock(const std::optional<ClockMemory>& kept, const ClockTrust& trust,
                       const BootId& boot, std::chrono::milliseconds since_boot, WallTime wall);

class StoreClock final : public Clock {
 public:
  explicit StoreClock(TimeSources sources = system_time());

  WallTime now() const override;
  bool may_purge() const override { return may_purge_.load(std::memory_order_relaxed); }
  std::string start(const std::optional<ClockMemory>& kept, const ClockTrust& trust) override;
  std::string tick() override;
  std::optional<ClockMemory> memory() const override;
  ClockStanding standing() const override;

 private:
  using Nanos = std::chrono::nanoseconds;

  /// The store's time is `time` at `since_boot`, and from there approaches by `apart`, slowly.
  struct Line {
    std::atomic<Nanos> since_boot{Nanos(0)};
    std::atomic<Nanos> time{Nanos(0)};
    std::atomic<Nanos> apart{Nanos(0)};
  };

  Nanos at(Nanos since_boot) const;
  void draw(Nanos since_boot, Nanos time, Nanos apart);
  std::string end_doubt(WallTime wall, Nanos since_boot, WallTime now);
  std::string follow(WallTime wall, Nanos since_boot);

  const TimeSources sources_;
  /// One is in force while the next is drawn.
  std::array<Line, 2> lines_;
  std::atomic<std::uint64_t> line_{0};
  /// Not before start(): a database purges from the moment it is open.
  std::atomic<bool> may_purge_{false};

  mutable std::mutex mutex_;
  ClockTrust trust_;
  bool doubted_ = false;
  std::chrono::milliseconds ahead_{0};
  /// When last looked at; a change is worth a word.
  std::chrono::milliseconds wall_ahead_{0};
};

}  // namespace onceproxy::store
