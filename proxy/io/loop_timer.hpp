// LoopTimer: what a store is given when it asks a worker's loop for a timer. What it runs may
// resume a request and destroy anything, so it runs when the round of deadlines is over. Not
// thread-safe: one event loop.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "proxy/io/deadline.hpp"
#include "proxy/io/event_loop.hpp"
#include "store/call.hpp"

namespace onceproxy::io {

class LoopTimer final : public store::Timer, Deadline, EventLoop::Deferred {
 public:
  LoopTimer(EventLoop& loop, std::chrono::milliseconds after, std::function<void()> expired)
      : Deadline(loop.deadlines()), loop_(loop), expired_(std::move(expired)) {
    arm(after);
  }

 private:
  void expired() override { loop_.defer(*this); }
  void run() override {
    // It may destroy this timer, and with it the function that runs.
    const auto expired = std::exchange(expired_, nullptr);
    if (expired) expired();  // a loop that gives up fires every deadline again and again
  }

  EventLoop& loop_;
  std::function<void()> expired_;
};

}  // namespace onceproxy::io
