#include "proxy/io/call_loop.hpp"

#include <utility>

#include "proxy/io/foreign_socket.hpp"
#include "proxy/io/loop_timer.hpp"

namespace onceproxy::io {

namespace {

/// Much less than a sync takes to become durable.
constexpr std::chrono::microseconds calls_held_max{500};

}  // namespace

CallLoop::CallLoop(EventLoop& loop, std::function<void(store::Loop&)> submit)
    : loop_(loop), submit_(std::move(submit)), waker_(loop, [this] { run_delivered(); }) {}

void CallLoop::deliver(store::CallBase* first) noexcept {
  store::CallBase* last = first;
  while (last->next != nullptr) last = last->next;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = first_ == nullptr;
    (wake ? first_ : last_->next) = first;
    last_ = last;
  }
  if (thread_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    delivered_here_ = true;  // the round will end
  } else if (wake) {
    waker_.wake();
  }
}

bool CallLoop::submits() {
  if (!holds_calls_) held_since_ = loop_.now();
  holds_calls_ = true;
  return true;
}

/// The store's writer takes what was called for when there is nothing else to do here, or has been
/// enough: the more it takes at once, the less each costs.
bool CallLoop::end_round(bool quiet) {
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  if (std::exchange(delivered_here_, false)) run_delivered();
  if (!holds_calls_) return !delivered_here_;
  if (!quiet && loop_.now() - held_since_ < calls_held_max) return false;
  holds_calls_ = false;
  submit_(*this);
  delivered_here_ = false;
  run_delivered();
  // What goes on may have called again.
  return !holds_calls_ && !delivered_here_;
}

std::unique_ptr<store::Timer> CallLoop::timer(std::chrono::milliseconds after,
                                              std::function<void()> expired) {
  return std::make_unique<LoopTimer>(loop_, after, std::move(expired));
}

std::unique_ptr<store::SocketWatch> CallLoop::watch(int descriptor, std::function<void()> ready) {
  return std::make_unique<ForeignSocket>(loop_, descriptor, std::move(ready));
}

void CallLoop::run_delivered() {
  store::CallBase* call = nullptr;
  {
    const std::lock_guard lock(mutex_);
    call = std::exchange(first_, nullptr);
  }
  while (call != nullptr) {
    // Resuming may end the call's life.
    store::CallBase* const next = std::exchange(call->next, nullptr);
    call->resume(*call);
    call = next;
  }
}

}  // namespace onceproxy::io
