// Deadlines: coarse timers for many connections. A timer per operation costs more than the
// operation (measured: 10 µs a request); here arming one is a store, and the worker's tick looks at
// all of them ten times a second. A deadline fires up to two ticks late and never early.
// Not thread-safe: one event loop.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>

namespace onceproxy::io {

class Deadlines;

/// One thing that may take too long. Unlinks itself when destroyed.
class Deadline : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Deadline(Deadlines& deadlines);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  /// Fires once, `after` from now, unless armed again or disarmed before.
  void arm(std::chrono::milliseconds after);
  bool armed() const { return at_ != Clock::time_point::max(); }
  void disarm() { at_ = Clock::time_point::max(); }

 protected:
  ~Deadline() = default;
  /// Runs on the loop's thread, from its tick. May destroy other deadlines only through handlers
  /// that run later.
  virtual void expired() = 0;

 private:
  friend class Deadlines;
  Deadlines& deadlines_;
  Clock::time_point at_ = Clock::time_point::max();
};

class Deadlines {
 public:
  static constexpr std::chrono::milliseconds tick{100};

  /// The time that arm() counts from. Told by the loop whenever it wakes.
  void set_now(Deadline::Clock::time_point now) { now_ = now; }

  /// Fires what is due. Called by the loop every `tick`.
  void run(Deadline::Clock::time_point now) {
    now_ = now;
    expire([now](const Deadline& deadline) { return deadline.at_ <= now; });
  }

  /// Fires all, armed or not: the worker gives up on what is pending.
  void expire_all() {
    expire([](const Deadline&) { return true; });
  }

 private:
  friend class Deadline;

  template <typename Due>
  void expire(Due due) {
    for (auto it = list_.begin(); it != list_.end();) {
      Deadline& deadline = *it++;
      if (!due(deadline)) continue;
      deadline.disarm();
      deadline.expired();
    }
  }

  boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>> list_;
  Deadline::Clock::time_point now_ = Deadline::Clock::now();
};

inline Deadline::Deadline(Deadlines& deadlines) : deadlines_(deadlines) {
  deadlines.list_.push_back(*this);
}

inline void Deadline::arm(std::chrono::milliseconds after) {
  // The loop's time is a little old: one more tick makes sure that it is never early.
  at_ = deadlines_.now_ + after + Deadlines::tick;
}

}  // namespace onceproxy::io
