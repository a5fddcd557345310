#include "store/rocksdb/operation_queue.hpp"

#include <utility>

namespace onceproxy::store {

Operation* OperationQueue::sealed() {
  static Operation mark;
  return &mark;
}

OperationQueue::~OperationQueue() {
  Operation* const newest = head_.load();
  if (newest != sealed()) const OperationList left(newest);
}

std::unique_ptr<Operation> OperationQueue::push(std::unique_ptr<Operation> operation) {
  Operation* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == sealed()) return operation;
    operation->next = head;
  } while (!head_.compare_exchange_weak(head, operation.get(), std::memory_order_seq_cst,
                                        std::memory_order_relaxed));
  // Not touched again: the taker may have it already.
  static_cast<void>(operation.release());
  return nullptr;
}

void OperationQueue::nudge() {
  if (head_.load(std::memory_order_relaxed) == nullptr) return;
  // Seen set, it is still to be cleared by a taker that looks at the queue after that.
  if (nudged_.load(std::memory_order_seq_cst)) return;
  // This store and load, the store and the load in wait(): all in one order, so that either who
  // waits sees the nudge, or it is seen waiting.
  nudged_.store(true, std::memory_order_seq_cst);
  if (!waiting_.load(std::memory_order_seq_cst)) return;
  {
    // Who saw no nudge waits by now. That it waits is for itself alone to take back: what this
    // nudge stands for may be taken already, and it waits for the next one.
    const std::lock_guard lock(mutex_);
  }
  pushed_.notify_one();
}

void OperationQueue::wait(std::chrono::steady_clock::time_point until) {
  if (nudged_.load(std::memory_order_relaxed)) return;
  std::unique_lock lock(mutex_);
  waiting_.store(true, std::memory_order_seq_cst);
  pushed_.wait_until(lock, until,
                     [this] { return woken_ || nudged_.load(std::memory_order_seq_cst); });
  waiting_.store(false, std::memory_order_relaxed);
  woken_ = false;
}

const Operation* OperationQueue::peek() const {
  const Operation* const newest = head_.load(std::memory_order_acquire);
  return newest == sealed() ? nullptr : newest;
}

OperationList OperationQueue::take() {
  // Before the queue is looked at: a nudge for what comes later than that is for the next time.
  nudged_.exchange(false, std::memory_order_seq_cst);
  Operation* newest = head_.exchange(nullptr, std::memory_order_seq_cst);
  Operation* oldest = nullptr;
  while (newest != nullptr) {
    Operation* const older = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = older;
  }
  return OperationList(oldest);
}

void OperationQueue::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  pushed_.notify_one();
}

bool OperationQueue::seal() {
  Operation* empty = nullptr;
  return head_.compare_exchange_strong(empty, sealed());
}

}  // namespace onceproxy::store
