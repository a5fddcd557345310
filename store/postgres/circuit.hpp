// Circuit: after so many operations in a row that got no answer in time, requests no longer wait
// for the database: they are refused at once, and one probe at a time finds out when it answers
// again. Thread-safe.
#pragma once

#include <atomic>

namespace onceproxy::store {

class Circuit {
 public:
  explicit Circuit(unsigned failures_max) : failures_max_(failures_max) {}

  bool open() const { return open_.load(std::memory_order_relaxed); }

  /// The database has committed something.
  void answered() {
    if (failures_.load(std::memory_order_relaxed) != 0) failures_.store(0);
  }
  /// It did not, in time. True: the circuit has opened by this.
  bool failed() {
    if (failures_.fetch_add(1) + 1 < failures_max_) return false;
    return !open_.exchange(true);
  }
  /// A probe has come through. True: it was open.
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
