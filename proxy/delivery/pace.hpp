// Pace: the rate limit of a listener, as a token bucket (GCRA) with `limit` tokens. It is kept in
// memory only: after a restart the bucket is full. Pure: time is passed in. Not thread-safe.
#pragma once

#include <chrono>
#include <optional>

#include "policies/delivery.hpp"

namespace onceproxy::delivery {

class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Without a rate there is no limit.
  explicit Pace(std::optional<policies::ListenerRate> rate = {}) : rate_(rate) {}

  /// Tokens that were taken stay taken.
  void set(std::optional<policies::ListenerRate> rate) { rate_ = rate; }

  /// When a delivery may begin. If the time is not after `now`, it may begin at once.
  Time next(Time now) const {
    if (!rate_) return now;
    return arrival_ - interval() * (rate_->limit - 1);
  }
  /// Takes a token for a delivery that begins. Call it only when next() has allowed this.
  void take(Time now) {
    if (!rate_) return;
    if (arrival_ < now) arrival_ = now;
    arrival_ += interval();
  }
  /// Returns the token of a delivery that was not sent after all.
  void give_back() {
    if (rate_) arrival_ -= interval();
  }

 private:
  std::chrono::nanoseconds interval() const {
    return std::chrono::nanoseconds(rate_->per) / rate_->limit;
  }

  std::optional<policies::ListenerRate> rate_;
  /// The theoretical arrival time of ITU-T I.371.
  Time arrival_{};
};

}  // namespace onceproxy::delivery
