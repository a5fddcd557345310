// StoreClock: the clock that programs use for a store. Within a boot of the machine its time
// advances with CLOCK_BOOTTIME, which cannot be set and also counts while the machine is suspended,
// across restarts of the process. The wall clock is used only in two cases:
//
// - At the first start after a boot, to determine how long the machine was down. The wall clock is
//   trusted if it is between the time that the database kept (less a minute, for clocks that drift)
//   and ClockTrust::ahead_max later, or if its difference to that time is the same as before.
//   Otherwise the store's time continues from the kept time, in doubt. Nothing is purged until the
//   wall clock can be trusted again, or until a start with ClockTrust::accept.
// - While the program runs: if the wall clock was set, the store's time approaches it by one part
//   in 2,000, as fast as the kernel itself slews clocks (adjtime(3)). A lease of 30 s then ends at
//   most 15 ms early, a window of a day 43 s.
//
// now() never goes back, regardless of the wall clock. If an operator accepts a wall clock that is
// behind, the store's time stays ahead of it; this is remembered and does not cause doubt again.
//
// Thread-safe; tick() is called by one thread. now() reads CLOCK_BOOTTIME once and needs no lock.
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

/// The clocks that are read, which tests can replace. The functions may be called by any thread.
struct TimeSources {
  std::function<WallTime()> wall;
  /// CLOCK_BOOTTIME.
  std::function<std::chrono::nanoseconds()> since_boot;
  BootId boot{};
};
TimeSources system_time();

/// The difference between the wall clock and the store's time that is tolerated without a message.
inline constexpr std::chrono::minutes clocks_apart_max{1};
/// In this time, the store's time approaches the wall clock by one unit.
inline constexpr int slew_parts = 2'000;

/// The state of the clock after a start.
struct ClockStart {
  WallTime time{};
  std::chrono::milliseconds ahead{};
  bool doubted = false;
};
/// Pure: determines the state of the clock after a start with `kept`.
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

  /// The store's time is `time` at `since_boot`, and from there slowly approaches by `apart`.
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
  /// One is in use while the next one is computed.
  std::array<Line, 2> lines_;
  std::atomic<std::uint64_t> line_{0};
  /// False before start(): a database purges from the moment it is open.
  std::atomic<bool> may_purge_{false};

  mutable std::mutex mutex_;
  ClockTrust trust_;
  bool doubted_ = false;
  std::chrono::milliseconds ahead_{0};
  /// The state at the last check; a change is logged.
  std::chrono::milliseconds wall_ahead_{0};
};

}  // namespace onceproxy::store
