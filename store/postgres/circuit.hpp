// Circuit: a circuit breaker. When several operations in a row got no answer in time, it opens:
// further operations are refused at once, and one probe at a time finds out when the database
// answers again. Thread-safe.
#pragma once

#include <atomic>

namespace onceproxy::store {

class Circuit {
 public:
  explicit Circuit(unsigned failures_max) : failures_max_(failures_max) {}

  bool open() const { return open_.load(std::memory_order_relaxed); }
  /// Whether the last thing that is known of the database is that it works.
  bool steady() const { return !open() && failures_.load(std::memory_order_relaxed) == 0; }

  /// How many operations got no answer since the last commit.
  unsigned failures() const { return failures_.load(std::memory_order_relaxed); }

  /// The database has committed a transaction.
  void answered() {
    if (failures_.load(std::memory_order_relaxed) != 0) failures_.store(0);
  }
  /// The database did not answer in time. True: this opened the circuit.
  bool failed() {
    if (failures_.fetch_add(1) + 1 < failures_max_) return false;
    return !open_.exchange(true);
  }
  /// A probe was answered. True: the circuit was open.
  bool close() {
    failures_.store(0);
    return open_.exchange(false);
  }

 private:
  const unsigned failures_max_;
  std::atomic<unsigned> failures_{0};
  std::atomic<bool> open_{false};
};

}  // namespace onceproxy::store
