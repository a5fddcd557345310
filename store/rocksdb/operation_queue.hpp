// OperationQueue: many threads push, one takes all. Pushing is one compare-and-swap. What was
// pushed is taken once somebody nudges: so whoever pushes several has them taken together, though
// the taker comes by in between.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "store/rocksdb/operation_list.hpp"

namespace onceproxy::store {

class OperationQueue {
 public:
  OperationQueue() = default;
  OperationQueue(const OperationQueue&) = delete;
  OperationQueue& operator=(const OperationQueue&) = delete;
  ~OperationQueue();

  /// Any thread. Gives the operation back where the queue is sealed. It is taken at the next
  /// nudge(), or when the taker's wait is over.
  std::unique_ptr<Operation> push(std::unique_ptr<Operation> operation);

  /// Any thread: what was pushed is to be taken now. Cheap where that is nothing.
  void nudge();

  /// The taker: everything pushed so far, oldest first; waits for a nudge() since the last take(),
  /// for `until`, or for wake(). Empty where there is nothing, also after a nudge for what went
  /// with an earlier take().
  OperationList take(std::chrono::steady_clock::time_point until);

  /// Any thread: ends the taker's wait, the next one if it does not wait now.
  void wake();

  /// The taker: from now on push() gives everything back. False where there is still something.
  bool seal();

 private:
  static Operation* sealed();

  std::atomic<Operation*> head_{nullptr};  // newest first
  std::atomic<bool> nudged_{false};
  std::atomic<bool> waiting_{false};
  std::mutex mutex_;
  std::condition_variable pushed_;
  bool woken_ = false;  // under mutex_
};

}  // namespace onceproxy::store
