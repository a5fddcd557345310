// WaitedCall: a verb of the store that a thread without an event loop waits for. Private to this
// folder. Not for an event loop's thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "store/call.hpp"

namespace onceproxy::admin {

/// Runs what is answered on the thread that answers it.
class WaitingLoop final : public store::Loop {
 public:
  void deliver(store::CallBase* first) noexcept override {
    while (first != nullptr) {
      store::CallBase& call = *std::exchange(first, first->next);
      call.resume(call);
    }
  }
};

template <typename Result>
class WaitedCall : public store::Call<Result> {
 public:
  explicit WaitedCall(WaitingLoop& loop) : store::Call<Result>(loop) {
    this->resume = [](store::CallBase& call) { static_cast<WaitedCall&>(call).answered(); };
  }

  /// `at_once`: what the verb returned.
  Result wait(bool at_once) {
    if (!at_once) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return answered_; });
    }
    return std::move(*this->result);
  }

 private:
  void answered() {
    const std::lock_guard lock(mutex_);
    answered_ = true;
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool answered_ = false;
};

}  // namespace onceproxy::admin
