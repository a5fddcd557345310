// Call and Loop: how the store answers a call later, on the event loop of its caller, without
// depending on that event loop. A Call belongs to the caller and must not move or be destroyed
// until it was answered.
//
// Thread-safety: Loop::deliver() may be called by any thread; everything else is called on the
// loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace onceproxy::store {

/// The base of every call under way. Calls can be linked, so that a store returns a whole batch
/// with one wake-up.
class CallBase {
 public:
  CallBase* next = nullptr;
  /// Called on the loop's thread when the result is available. The caller sets it before it calls
  /// the store.
  void (*resume)(CallBase&) = nullptr;
};

/// An action that a loop will run. If it is destroyed before, it does not run. Created and
/// destroyed only on the loop's thread.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
};

/// A socket that a loop watches. After it is destroyed, nothing more is reported. Created and
/// destroyed only on the loop's thread, and destroyed before the socket is closed.
class SocketWatch {
 public:
  SocketWatch() = default;
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;
  virtual ~SocketWatch() = default;
  /// Whether it also reports that the socket is writable.
  virtual void want_write(bool wanted) = 0;
};

/// An event loop, as a store sees it. It must outlive its calls.
class Loop {
 public:
  /// Takes a list of calls that are linked by `next`, and runs each `resume` on the loop's thread,
  /// in order. May be called by any thread; never blocks; does not throw.
  virtual void deliver(CallBase* first) noexcept = 0;

  /// Called with each call that must be written. If it returns true, this loop calls
  /// Store::submit() when it has handled its current events, and the store need not wake its writer
  /// for each of its calls. Then many calls form one group, which also saves switches between
  /// threads.
  virtual bool submits() { return false; }

  /// Runs `expired` once on the loop's thread, not earlier than `after` from now and not much
  /// later. `expired` may destroy the timer. Called on the loop's thread. A loop that returns
  /// nothing has no timers: its calls never wait, but are answered as if their time had passed.
  virtual std::unique_ptr<Timer> timer([[maybe_unused]] std::chrono::milliseconds after,
                                       [[maybe_unused]] std::function<void()> expired) {
    return nullptr;
  }

  /// Whether this loop watches sockets for a store. If it does, every call to the store on it is
  /// made on its thread, and Store::leave() is called before it ends.
  virtual bool watches() const { return false; }

  /// Runs `ready` on the loop's thread whenever the socket is readable or has failed, repeatedly
  /// until everything was read. `ready` may destroy the watch. Called on the loop's thread, if
  /// watches() is true.
  virtual std::unique_ptr<SocketWatch> watch([[maybe_unused]] int descriptor,
                                             [[maybe_unused]] std::function<void()> ready) {
    return nullptr;
  }

 protected:
  ~Loop() = default;
};

template <typename Result>
class Call : public CallBase {
 public:
  explicit Call(Loop& home) : loop(home) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Loop& loop;
  std::optional<Result> result;
  /// How long the call waited for its entity's turn; negative if it needed none.
  std::chrono::nanoseconds turn_wait{-1};
};

}  // namespace onceproxy::store
