// Clock: where the store's time comes from, so that tests can turn it; and what a database keeps of
// it between two starts. now() is what leases and windows are counted in. It never goes back,
// within a process nor, where it is given what was kept, across starts. store_clock.hpp has the one
// that programs use. Thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/wall_time.hpp"

namespace onceproxy::store {

/// One boot of the machine, as /proc/sys/kernel/random/boot_id names it; all zeros: not known, and
/// then it never equals another.
using BootId = std::array<std::uint8_t, 16>;

/// What a database knows of time, written with its batches.
struct ClockMemory {
  /// A batch that holds no memory of its own was written at most so long after the last that does.
  static constexpr std::chrono::milliseconds lag_max{2'000};

  /// The store's time.
  WallTime time{};
  /// What CLOCK_BOOTTIME said then, and in which boot.
  std::chrono::milliseconds since_boot{};
  BootId boot{};
  /// How far `time` was ahead of the wall clock (behind it: below zero) when the two were last
  /// known to belong together.
  std::chrono::milliseconds ahead{};
  /// The wall clock was not believed.
  bool doubted = false;
};

std::string encode(const ClockMemory& memory);
/// Nothing where the bytes are none, or of another version. The grammar stands in store_clock.cpp.
std::optional<ClockMemory> decode_clock(std::string_view bytes);

/// How far a start believes the wall clock.
struct ClockTrust {
  /// A clock further ahead of what was kept than this cannot be explained by downtime.
  std::chrono::milliseconds ahead_max = std::chrono::hours(30 * 24);
  /// An operator says that the wall clock is right (--accept-clock).
  bool accept = false;
};

/// How the store's time and the wall clock stand to each other.
struct ClockStanding {
  /// How far the wall clock is ahead; below zero: behind.
  std::chrono::milliseconds wall_ahead{};
  /// The wall clock is not believed, and nothing is purged.
  bool doubted = false;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;

  /// What is forgotten cannot be undone: false while now() may be wrong. What has expired counts as
  /// not there all the same.
  virtual bool may_purge() const { return true; }

  // For the store that is opened with it. What start() and tick() return is for an operator to
  // read; empty: nothing is to be said.

  /// Once, with what the database kept, before the first now() that counts.
  virtual std::string start(const std::optional<ClockMemory>&, const ClockTrust&) { return {}; }
  /// About once a second, from one thread.
  virtual std::string tick() { return {}; }
  /// What the database is to keep. Nothing: this clock does not outlive its process.
  virtual std::optional<ClockMemory> memory() const { return std::nullopt; }
  virtual ClockStanding standing() const { return {}; }
};

}  // namespace onceproxy::store
