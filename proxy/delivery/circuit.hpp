// Circuit: keeps deliveries away from a listener that has failed several times in a row. Closed,
// everything goes; open, nothing; after a while half open: one delivery goes as a trial, and its
// success closes the circuit. While it is open, deliveries wait and use up no attempts, so an
// outage of a listener does not turn everything that is pending into dead letters.
//
// Only failures that say something of the listener count: no connection, no answer, 5xx, 429.
// Pure: time is passed in. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace onceproxy::delivery {

class Circuit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  enum class State { closed, open, half_open };

  struct Options {
    /// So many failures in a row open it.
    std::uint32_t failures_max = 5;
    /// For how long it is open the first time; twice as long after each trial that fails.
    std::chrono::milliseconds open_min{1'000};
    std::chrono::milliseconds open_max{30'000};
  };

  Circuit() = default;
  explicit Circuit(const Options& options) : options_(options) {}

  State state(Time now) const;
  /// Whether a delivery may begin now. True in the half-open state makes it the trial, and no other
  /// may begin before that has ended.
  bool try_begin(Time now);
  /// When try_begin() may say yes again; meaningful while the circuit is open.
  Time open_until() const { return open_until_; }

  /// What began has ended: the listener answered, in whatever way shows that it works.
  void succeeded();
  void failed(Time now);
  /// What began has ended and says nothing of the listener: it was cancelled before it was sent.
  void withdrawn() { trial_ = false; }

 private:
  Options options_;
  std::uint32_t failures_ = 0;
  /// How often it has opened in a row.
  std::uint32_t opened_ = 0;
  Time open_until_{};
  bool trial_ = false;
};

/// As the metrics and the admin API name it: "half-open".
std::string_view name(Circuit::State state);

}  // namespace onceproxy::delivery
