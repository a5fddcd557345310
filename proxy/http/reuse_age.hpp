// ReuseAge: learns from the upstream how long a connection may have been idle and still be used
// again. If a service closes idle connections after a time that it does not announce, a request
// that is being written at that moment is lost. Each time the upstream ends a kept connection, only
// connections that were idle for less than half as long are used for a while. After that all are
// used again, so that the effect of a restart is soon forgotten.
//
// It does not depend on connections or a clock. Not thread-safe: used on one event loop.
#pragma once

#include <algorithm>
#include <chrono>

namespace onceproxy::http {

class ReuseAge {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Age = std::chrono::steady_clock::duration;

  /// How long the restriction lasts. The first time is short, since a restart of the upstream looks
  /// the same. It is doubled each time when it was too short.
  static constexpr std::chrono::seconds hold_min{1};
  static constexpr std::chrono::seconds hold_max{60};

  bool allows(Age idle, Time now) const { return now >= until_ || idle < limit_; }

  /// The upstream ended a connection that had been idle for this long, either when it was used
  /// again or while it was idle. Returns true if there was no restriction before.
  bool ended(Age idle, Time now) {
    if (!allows(idle, now)) return false;
    const bool news = now >= until_;
    if (news) {
      // An end long after the last one has another cause.
      hold_ = now - until_ < hold_max ? std::min<Age>(2 * hold_, hold_max) : hold_min;
      // It must last several times as long as the age to be useful.
      const Age useful = idle < hold_max / ages_held ? ages_held * idle : hold_max;
      until_ = now + std::max(hold_, useful);
    }
    limit_ = idle / 2;
    return news;
  }

  /// Connections that were idle for longer are not used, until `until()`.
  Age limit() const { return limit_; }
  Time until() const { return until_; }

 private:
  static constexpr int ages_held = 20;

  Age limit_{0};
  Age hold_{hold_min};
  /// If it is in the past, every connection may be used.
  Time until_{};
};

}  // namespace onceproxy::http
