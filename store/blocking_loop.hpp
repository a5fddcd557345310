// BlockingLoop: a loop for a thread that has no event loop and waits for a single call, such as an
// operator's. It supports only one call at a time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "store/call.hpp"

namespace onceproxy::store {

class BlockingLoop final : public Loop {
 public:
  /// A delivered call is resumed here, if it has a function to resume.
  void deliver(CallBase* first) noexcept override {
    while (first != nullptr) {
      CallBase& call = *std::exchange(first, first->next);
      if (call.resume != nullptr) {
        call.resume(call);
      } else {
        finish();
      }
    }
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    delivered_ = true;
    changed_.notify_all();  // under the lock: the waiting thread may destroy this object at once
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return delivered_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool delivered_ = false;
};

}  // namespace onceproxy::store
