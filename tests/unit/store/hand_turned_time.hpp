// The clocks of a machine, turned by hand: what a StoreClock reads in tests.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "store/store_clock.hpp"

namespace onceproxy::store::testing {

class HandTurnedTime {
 public:
  using Millis = std::chrono::milliseconds;

  TimeSources sources() const {
    BootId id{};
    id.fill(boot_);
    return {[this] { return WallTime(Millis(wall_.load())); },
            [this] { return std::chrono::nanoseconds(Millis(since_boot_.load())); }, id};
  }
  /// Time passes on all clocks.
  void pass(Millis time) {
    wall_ += time.count();
    since_boot_ += time.count();
  }
  void set_wall(Millis by) { wall_ += by.count(); }
  /// The machine was down for so long.
  void boot(Millis down = Millis(0)) {
    ++boot_;
    since_boot_ = 10'000;
    wall_ += down.count();
  }
  void forget_boot_id() { boot_ = 0; }
  WallTime wall() const { return WallTime(Millis(wall_.load())); }

 private:
  std::uint8_t boot_ = 1;
  std::atomic<std::int64_t> wall_{Millis(std::chrono::hours(24 * 365 * 50)).count()};
  std::atomic<std::int64_t> since_boot_{Millis(std::chrono::hours(1)).count()};
};

}  // namespace onceproxy::store::testing
