// BlockingLoop: the loop of a thread that has none, and waits for the one call it makes: an
// operator's. Not for more than one call at a time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "store/call.hpp"

namespace onceproxy::store {

class BlockingLoop final : public Loop {
 public:
  /// What is delivered is resumed here, where it has anything to resume.
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
    changed_.notify_all();  // under the lock: whoever waits may end this object at once
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
