// Clock: the source of the store's time, which tests can replace, and the values that a database
// keeps about it between two starts. Leases and windows are measured with now(). It never goes
// back, neither within a process nor (if it gets the kept values) across starts. store_clock.hpp
// has the clock that programs use. Thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/wall_time.hpp"

namespace onceproxy::store {

/// A boot of the machine, as in /proc/sys/kernel/random/boot_id. All zeros: not known; then it is
/// never equal to another.
using BootId = std::array<std::uint8_t, 16>;

/// The values about time that a database writes with its batches.
struct ClockMemory {
  /// A batch without these values was written at most this long after the last batch with them.
  static constexpr std::chrono::milliseconds lag_max{2'000};

  /// The store's time.
  WallTime time{};
  /// The value of CLOCK_BOOTTIME at that time, and the boot.
  std::chrono::milliseconds since_boot{};
  BootId boot{};
  /// How far `time` was ahead of the wall clock (negative: behind) when the wall clock was last
  /// trusted.
  std::chrono::milliseconds ahead{};
  /// The wall clock was not trusted.
  bool doubted = false;
};

std::string encode(const ClockMemory& memory);
/// Returns nothing if the bytes are not valid, or have another version. store_clock.cpp describes
/// the format.
std::optional<ClockMemory> decode_clock(std::string_view bytes);

/// How much a start trusts the wall clock.
struct ClockTrust {
  /// A larger difference to the kept time cannot be explained by downtime.
  std::chrono::milliseconds ahead_max = std::chrono::hours(30 * 24);
  /// An operator confirms that the wall clock is right (--accept-clock).
  bool accept = false;
};

/// The relation between the store's time and the wall clock.
struct ClockStanding {
  /// How far the wall clock is ahead; negative: behind.
  std::chrono::milliseconds wall_ahead{};
  /// The wall clock is not trusted, and nothing is purged.
  bool doubted = false;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;

  /// Whether expired records may be deleted: false while now() may be wrong, because a deletion
  /// cannot be undone. Expired records count as absent in any case.
  virtual bool may_purge() const { return true; }

  // For the store that uses the clock. The results of start() and tick() are messages for an
  // operator; empty: there is no message.

  /// Called once, with the values that the database kept, before the first use of now().
  virtual std::string start(const std::optional<ClockMemory>&, const ClockTrust&) { return {}; }
  /// Called about once a second, by one thread.
  virtual std::string tick() { return {}; }
  /// The values for the database to keep. Nothing if this clock does not outlive its process.
  virtual std::optional<ClockMemory> memory() const { return std::nullopt; }
  virtual ClockStanding standing() const { return {}; }
};

}  // namespace onceproxy::store
