// CallLoop: an event loop as a store sees it. What the store answers runs on the loop's thread, and
// the calls of a round are begun together when it is over, so that they become one group on disk.
// What is answered on the loop's own thread runs at the end of the round, without a system call.
//
// Thread-safety: deliver() from any thread; everything else on the loop's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "proxy/io/event_loop.hpp"
#include "proxy/io/waker.hpp"
#include "store/call.hpp"

namespace onceproxy::io {

class CallLoop final : public store::Loop {
 public:
  /// `submit` begins what was called for from this loop: Store::submit().
  CallLoop(EventLoop& loop, std::function<void(store::Loop&)> submit);

  void deliver(store::CallBase* first) noexcept override;
  bool submits() override;
  std::unique_ptr<store::Timer> timer(std::chrono::milliseconds after,
                                      std::function<void()> expired) override;
  bool watches() const override { return true; }
  std::unique_ptr<store::SocketWatch> watch(int descriptor, std::function<void()> ready) override;

  /// The loop's OnRound.
  bool end_round(bool quiet);

 private:
  void run_delivered();

  EventLoop& loop_;
  const std::function<void(store::Loop&)> submit_;
  Waker waker_;

  // What was delivered, by any thread.
  std::mutex mutex_;
  store::CallBase* first_ = nullptr;
  store::CallBase* last_ = nullptr;

  /// The loop's thread, known after its first round.
  std::atomic<std::thread::id> thread_{};
  /// Something was delivered on it since the last round.
  bool delivered_here_ = false;

  /// The store was called, and not woken yet.
  bool holds_calls_ = false;
  std::chrono::steady_clock::time_point held_since_;
};

}  // namespace onceproxy::io
