// Slots: so many at once, across all workers. Bounds the upstream's connections and the requests
// under way. Whoever finds none free waits its turn, in order of arrival, until a time it names.
//
// Thread-safe. A slot taken is an obligation to call release() once.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <functional>
#include <mutex>

#include "store/store.hpp"

namespace onceproxy::http {

class Slots {
 public:
  /// `limit` 0: no limit. `waiting`, where given, is called (on the waiter's thread, without the
  /// lock) whenever somebody has to wait, so that idle holders can let go.
  explicit Slots(std::size_t limit, std::function<void()> waiting = nullptr)
      : limit_(limit), on_wait_(std::move(waiting)) {}

  /// One who waits. Resumed on its loop, through CallBase, when it was handed a slot.
  struct Waiter : store::CallBase, boost::intrusive::list_base_hook<> {
    store::Loop* loop = nullptr;
  };

  bool try_take() {
    if (limit_ == 0) return true;
    std::size_t used = used_.load();
    while (used < limit_) {
      if (used_.compare_exchange_weak(used, used + 1)) return true;
    }
    return false;
  }

  /// True: taken after all, the waiter will not be called. False: it waits.
  bool wait(Waiter& waiter) {
    {
      const std::lock_guard lock(mutex_);
      // Announced before the last try, as release() looks after it gave back: one of the two sees
      // the other.
      ++waiting_;
      if (try_take()) {
        --waiting_;
        return true;
      }
      waiters_.push_back(waiter);
    }
    if (on_wait_) on_wait_();
    return false;
  }

  /// Gives up waiting. False: too late, the slot is the waiter's and it is being resumed.
  bool give_up(Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    if (!waiter.is_linked()) return false;
    waiters_.erase(waiters_.iterator_to(waiter));
    --waiting_;
    return true;
  }

  void release() {
    if (limit_ == 0) return;
    --used_;
    if (waiting_.load() == 0) return;
    Waiter* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (waiters_.empty() || !try_take()) return;
      next = &waiters_.front();
      waiters_.pop_front();
      --waiting_;
      next->next = nullptr;
    }
    next->loop->deliver(next);
  }

  bool anybody_waits() const { return waiting_.load() > 0; }

 private:
  const std::size_t limit_;
  const std::function<void()> on_wait_;
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::mutex mutex_;
  boost::intrusive::list<Waiter> waiters_;
};

}  // namespace onceproxy::http
