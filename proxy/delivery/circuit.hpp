// Circuit: stops deliveries to a listener that has failed several times in a row. While it is
// closed, all deliveries may begin. While it is open, none may. After some time it is half open:
// one delivery may begin as a trial, and its success closes the circuit. Deliveries that wait for
// an open circuit use up no attempts, so an outage of a listener does not turn all its pending
// deliveries into dead letters.
//
// Only failures that concern the listener as a whole are counted: no connection, no answer, 408,
// 429 and 5xx. Pure: time is passed in. Not thread-safe.
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
    /// The number of failures in a row that opens the circuit.
    std::uint32_t failures_max = 5;
    /// How long the circuit stays open the first time. The time is doubled after each failed trial,
    /// up to `open_max`.
    std::chrono::milliseconds open_min{1'000};
    std::chrono::milliseconds open_max{30'000};
  };

  Circuit() = default;
  explicit Circuit(const Options& options) : options_(options) {}

  State state(Time now) const;
  /// Whether a delivery may begin now. If the circuit is half open and the result is true, the
  /// delivery is the trial, and no other delivery may begin until it has ended.
  bool try_begin(Time now);
  /// When try_begin() may return true again. Meaningful only while the circuit is open.
  Time open_until() const { return open_until_; }

  /// A delivery has ended, and the answer shows that the listener works.
  void succeeded();
  void failed(Time now);
  /// A delivery has ended without information about the listener: it was cancelled before it was
  /// sent.
  void withdrawn() { trial_ = false; }

 private:
  Options options_;
  std::uint32_t failures_ = 0;
  /// How many times the circuit has opened in a row.
  std::uint32_t opened_ = 0;
  Time open_until_{};
  bool trial_ = false;
};

/// The name for metrics and the admin API, such as "half-open".
std::string_view name(Circuit::State state);

}  // namespace onceproxy::delivery
