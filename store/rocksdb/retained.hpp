// Retained: what a failed database leaves behind: outcomes that are not on disk though they
// happened, and reservations that may be on disk although their callers were answered otherwise.
// Both wait in memory until the database is open again. Bounded: an outcome over the bound is left
// to its reservation's lease.
//
// Thread-safe. open/closed is decided under the same lock as adding, so that nothing is added
// after the last look.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "store/rocksdb/operation.hpp"

namespace onceproxy::store {

class Retained {
 public:
  Retained(std::size_t operations_max, std::size_t bytes_max)
      : operations_max_(operations_max), bytes_max_(bytes_max) {}

  /// The database failed: from now on operations are taken.
  void start();
  bool active() const { return active_.load(std::memory_order_acquire); }

  enum class KeepResult {
    yes,
    no_room,   ///< given up; the caller forgets it
    inactive,  ///< nothing has failed (any more); the operation is still the caller's
  };
  /// Takes a settling operation unless inactive. Its call is not answered.
  KeepResult keep(std::unique_ptr<Operation>& operation);
  /// Reservations are always kept: there are no more of them than the pending limit.
  void doubt(std::unique_ptr<Operation> operation);

  /// Everything kept so far. What is taken is the caller's to give back() or to finish.
  std::vector<std::unique_ptr<Operation>> take();
  void give_back(std::vector<std::unique_ptr<Operation>> operations);
  /// Ends the failure unless something was kept since take().
  bool finish();

 private:
  const std::size_t operations_max_;
  const std::size_t bytes_max_;
  std::atomic<bool> active_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::size_t settlements_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace onceproxy::store
