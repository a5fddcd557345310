// SideTask: a task that runs beside its owner, on the owner's loop, and that the owner waits for
// before it ends. What the task throws is thrown where it is waited for, so that it ends the
// request and not the process.
//
// The owner makes the task's waits end, for instance by closing their streams; a SideTask cannot
// stop its task. It must not be destroyed while the task runs.
// Not thread-safe: one event loop. Costs two coroutine frames more than a task that is awaited.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <utility>

#include "proxy/io/task.hpp"

namespace onceproxy::io {

class SideTask {
 public:
  SideTask() = default;
  SideTask(const SideTask&) = delete;
  SideTask& operator=(const SideTask&) = delete;
  ~SideTask() { assert(!running_); }

  /// Runs `task` up to its first wait. One at a time.
  void begin(Task<void> task) {
    assert(!running_);
    running_ = true;
    start(run(std::move(task)));
  }
  bool running() const { return running_; }

  /// co_await ended(): until the task has ended. Throws, once, what it threw.
  auto ended() { return Awaiter{*this}; }

 private:
  struct Awaiter {
    SideTask& side;
    bool await_ready() const noexcept { return !side.running_; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { side.waiter_ = waiter; }
    void await_resume() const {
      if (side.error_) std::rethrow_exception(std::exchange(side.error_, nullptr));
    }
  };

  Task<void> run(Task<void> task) {
    try {
      co_await task;
    } catch (...) {
      error_ = std::current_exception();
    }
    running_ = false;
    // The owner, and this with it, may be gone when that returns.
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }

  bool running_ = false;
  std::exception_ptr error_;
  std::coroutine_handle<> waiter_;
};

}  // namespace onceproxy::io
