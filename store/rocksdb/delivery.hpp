// Delivery: hands a group's results back with one wake per loop, however many calls there are.
// Not thread-safe: one thread collects and sends, with no lock held.
#pragma once

#include <vector>

#include "store/rocksdb/waiter.hpp"

namespace onceproxy::store {

class Delivery {
 public:
  /// The call's result is set. It must not be touched after send().
  template <typename Result>
  void add(Call<Result>& call) {
    add(call, call.loop);
  }
  /// It continues on the loop that waits for the result of its call.
  void add(Waiter& waiter) { add(waiter, waiter.call.loop); }
  void add(HoldWaiter& waiter) { add(waiter, waiter.loop); }

  void send() noexcept {
    for (const Batch& batch : batches_) batch.loop->deliver(batch.first);
    batches_.clear();
  }

 private:
  struct Batch {
    Loop* loop;
    CallBase* first;
    CallBase* last;
  };

  void add(CallBase& call, Loop& loop) {
    call.next = nullptr;
    for (Batch& batch : batches_) {
      if (batch.loop != &loop) continue;
      batch.last->next = &call;
      batch.last = &call;
      return;
    }
    batches_.push_back({&loop, &call, &call});
  }

  std::vector<Batch> batches_;  // as many as there are loops: few
};

}  // namespace onceproxy::store
