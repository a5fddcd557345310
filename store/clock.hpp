// Clock: where the store's time comes from, so that tests can turn it. now() is wall time for what
// outlives the process; it must not go back within one process. Thread-safe.
#pragma once

#include <chrono>

#include "store/store.hpp"

namespace onceproxy::store {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
};

/// Wall time as it was at construction plus what the steady clock has counted since: a step of the
/// wall clock neither ends a lease early nor forgets a completed operation.
class SystemClock final : public Clock {
 public:
  SystemClock()
      : wall_(std::chrono::time_point_cast<std::chrono::milliseconds>(
            std::chrono::system_clock::now())),
        steady_(std::chrono::steady_clock::now()) {}
  WallTime now() const override {
    return wall_ + std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now() - steady_);
  }

 private:
  const WallTime wall_;
  const std::chrono::steady_clock::time_point steady_;
};

}  // namespace onceproxy::store
