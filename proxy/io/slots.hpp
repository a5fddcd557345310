// Slots: a limit of concurrent uses, shared by all workers. It limits connections, and the requests
// under way to the upstream and of a policy. A caller that finds none free waits, in order of
// arrival, until a time it names. The limit may change at any time: what is taken beyond a smaller
// one stays taken.
//
// Thread-safe. A slot taken is an obligation to call release() once: Taken keeps it.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

#include "store/call.hpp"

namespace onceproxy::io {

class Slots {
 public:
  /// `limit` 0: no limit. `waiting`, if given, is called (on the waiter's thread, without the
  /// lock) whenever a caller has to wait, so that idle holders can release theirs.
  explicit Slots(std::size_t limit, std::function<void()> waiting = nullptr)
      : limit_(limit), on_wait_(std::move(waiting)) {}

  /// A waiting caller. Resumed on its loop, through CallBase, when it was handed a slot.
  struct Waiter : store::CallBase, boost::intrusive::list_base_hook<> {
    store::Loop* loop = nullptr;
  };

  /// A slot that was taken; given back with this.
  class Taken {
   public:
    explicit Taken(Slots* slots) : slots_(slots) {}
    Taken(Taken&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Taken& operator=(Taken&&) = delete;
    ~Taken() {
      if (slots_ != nullptr) slots_->release();
    }

   private:
    Slots* slots_;
  };

  /// 0: no limit, now.
  std::size_t limit() const { return limit_.load(); }

  /// Those who wait are handed what a larger limit has room for.
  void set_limit(std::size_t limit) {
    limit_ = limit;
    while (hand_on()) continue;
  }

  /// Counted without a limit too, since one may come before the release.
  bool try_take() {
    const std::size_t limit = limit_.load();
    std::size_t used = used_.load();
    while (limit == 0 || used < limit) {
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
    --used_;
    hand_on();
  }

  bool anybody_waits() const { return waiting_.load() > 0; }
  /// More are taken than a limit that shrank allows: holders that can release theirs early should.
  bool crowded() const {
    const std::size_t limit = limit_.load();
    return limit > 0 && used_.load() > limit;
  }
  std::size_t used() const { return used_.load(); }
  std::size_t waiting() const { return waiting_.load(); }

 private:
  /// Hands a free slot to the first that waits. False: none waits, or none is free.
  bool hand_on() {
    if (waiting_.load() == 0) return false;
    Waiter* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (waiters_.empty() || !try_take()) return false;
      next = &waiters_.front();
      waiters_.pop_front();
      --waiting_;
      next->next = nullptr;
    }
    next->loop->deliver(next);
    return true;
  }

  std::atomic<std::size_t> limit_;
  const std::function<void()> on_wait_;
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::mutex mutex_;
  boost::intrusive::list<Waiter> waiters_;
};

}  // namespace onceproxy::io
