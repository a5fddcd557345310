// OperationQueue: many threads push operations, and one thread takes all of them. Different threads
// may take, but callers ensure that only one does at a time. Pushing is one compare-and-swap.
// Operations are taken after nudge(), so several that are pushed before one nudge are taken
// together.
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

  /// Any thread. Gives the operation back if the queue is sealed. It is to be taken
  /// at the next nudge(), or when the wait is over.
  std::unique_ptr<Operation> push(std::unique_ptr<Operation> operation);

  /// Any thread: what was pushed is to be taken now. Cheap if that is nothing.
  void nudge();

  /// One thread: waits for a nudge() since the last take(), for `until`, or for wake().
  void wait(std::chrono::steady_clock::time_point until);

  /// The taker: everything pushed so far, oldest first. Empty if there is nothing, also after a
  /// nudge for what went with an earlier take().
  OperationList take();

  /// The taker: the newest of what take() would give; the others are found by `next`, the next
  /// newest first. Valid until take(). Null if there is nothing.
  const Operation* peek() const;

  /// Any thread: ends the wait, the next one if there is none now.
  void wake();

  /// The taker: from now on push() gives everything back. False if there is still something.
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
