// ReuseAge: how long a kept connection may have been idle and still be used again, learnt from the
// upstream. A service that closes idle connections after a time it does not announce loses the
// request that was being written to one at that moment. Each time the upstream ends a kept
// connection, only those that were idle for less than half as long are used, for a while; when that
// is over, all are again, so that what was learnt from a restart is soon forgotten.
//
// It knows no connection and no clock. Not thread-safe: one event loop.
#pragma once

#include <algorithm>
#include <chrono>

namespace onceproxy::http {

class ReuseAge {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Age = std::chrono::steady_clock::duration;

  /// How long a connection may stay unused once its end was seen. The first time is short, since a
  /// restart of the upstream looks the same; it doubles each time when that proves too short.
  static constexpr std::chrono::seconds hold_min{1};
  static constexpr std::chrono::seconds hold_max{60};

  bool allows(Age idle, Time now) const { return now >= until_ || idle < limit_; }

  /// The upstream ended a connection that had been idle for so long when it was used again, or
  /// while it was idle. True: this is news, after a time in which every connection was used.
  bool ended(Age idle, Time now) {
    if (!allows(idle, now)) return false;
    const bool news = now >= until_;
    if (news) {
      // An end long after the last one has another cause.
      hold_ = now - until_ < hold_max ? std::min<Age>(2 * hold_, hold_max) : hold_min;
      // It must last for several times the age in question to be of any use.
      const Age useful = idle < hold_max / ages_held ? ages_held * idle : hold_max;
      until_ = now + std::max(hold_, useful);
    }
    limit_ = idle / 2;
    return news;
  }

  /// Connections idle for longer are not used, until `until()`.
  Age limit() const { return limit_; }
  Time until() const { return until_; }

 private:
  static constexpr int ages_held = 20;

  Age limit_{0};
  Age hold_{hold_min};
  /// In the past: every connection may be used.
  Time until_{};
};

}  // namespace onceproxy::http
