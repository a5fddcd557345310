// A store's verb as a coroutine awaits it. Not thread-safe: one event loop.
#pragma once

#include <coroutine>
#include <utility>

#include "store/call.hpp"

namespace onceproxy::io {

/// A store call that a coroutine awaits. The store resumes it on the caller's own loop, so that
/// setting the handle after the verb was called is in time.
template <typename Result>
struct AwaitedCall : store::Call<Result> {
  explicit AwaitedCall(store::Loop& loop) : store::Call<Result>(loop) {
    this->resume = [](store::CallBase& call) { static_cast<AwaitedCall&>(call).waiter.resume(); };
  }
  std::coroutine_handle<> waiter;
};

/// co_await finished(call, answered): suspends unless the verb answered at once.
template <typename Result>
struct Finished {
  AwaitedCall<Result>& call;
  bool answered;

  bool await_ready() const noexcept { return answered; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { call.waiter = waiter; }
  Result await_resume() const { return std::move(*call.result); }
};

}  // namespace onceproxy::io
