// The clock that the model's store is given: it stands still until it is turned, and knows when the
// store has done what it does by itself from time to time. See model_world.hpp.
#pragma once

#include <pthread.h>

#include "model.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::model {

using testing::Signal;

/// Counts how often the committer looks at it.
class WatchedClock final : public Clock {
 public:
  WallTime now() const override {
    const WallTime out(Millis(now_.load()));
    if (on_committer()) looks_.change([this] { ++count_; });
    return out;
  }
  Millis turned() const { return Millis(now_.load()) - epoch_; }
  WallTime epoch() const { return WallTime(epoch_); }

  void turn_to(Millis at) {
    now_ = (epoch_ + at).count();
    wait_for_round();
  }

  /// The committer looks at the clock twice each time it makes its rounds (leases, dead turns), so
  /// with the fifth look from now it has made a whole one.
  void wait_for_round() {
    const int from = looks_.read([this] { return count_; });
    if (!looks_.wait([&] { return count_ >= from + 5; })) throw std::runtime_error("no rounds");
  }

 private:
  static bool on_committer() {
    thread_local const bool is_it = [] {
      char name[16] = {};
      pthread_getname_np(pthread_self(), name, sizeof name);
      return std::string_view(name) == "store-commit";
    }();
    return is_it;
  }

  const Millis epoch_ =
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch());
  std::atomic<std::int64_t> now_{epoch_.count()};
  mutable Signal looks_;
  mutable int count_ = 0;
};

}  // namespace onceproxy::store::model
