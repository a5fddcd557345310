// Call and Loop: how a verb of the store is answered later, on the event loop of its caller,
// without the store knowing which event loop that is. A Call belongs to the caller and must stay
// where it is until it was answered.
//
// Thread-safety: Loop::deliver() from any thread; everything else on the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace onceproxy::store {

/// Base of every call under way, linkable so that a store hands back a whole batch with one wake.
class CallBase {
 public:
  CallBase* next = nullptr;
  /// Runs on the loop's thread when the result is there. Set by the caller before the verb.
  void (*resume)(CallBase&) = nullptr;
};

/// Something that is to happen on a loop. Destroyed before, it does not. Made and destroyed on the
/// loop's thread only.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
};

/// A socket that a loop watches. Destroyed, nothing more is told. Made and destroyed on the loop's
/// thread only, and destroyed before the socket is closed.
class SocketWatch {
 public:
  SocketWatch() = default;
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;
  virtual ~SocketWatch() = default;
  /// Whether it is to be told, too, that the socket can be written to.
  virtual void want_write(bool wanted) = 0;
};

/// One event loop, as a store sees it. Outlives the calls that name it.
class Loop {
 public:
  /// Takes a list linked by `next` and runs each `resume` on the loop's thread, in order.
  /// Called from any thread; never blocks; does not throw.
  virtual void deliver(CallBase* first) noexcept = 0;

  /// Asked with each call that is to be written. True: this loop calls Store::submit() once it is
  /// done with what is at hand, and a store need not wake its writer for each call made from it.
  /// That makes groups of many calls instead of one group a call, and saves a switch between
  /// threads for each.
  virtual bool submits() { return false; }

  /// Runs `expired` once on the loop's thread, no earlier than `after` from now and not much later.
  /// `expired` may destroy the timer. Called on the loop's thread. A loop that gives nothing has no
  /// timers: calls from it never wait for anybody, but are answered as if their time were over.
  virtual std::unique_ptr<Timer> timer([[maybe_unused]] std::chrono::milliseconds after,
                                       [[maybe_unused]] std::function<void()> expired) {
    return nullptr;
  }

  /// Whether this loop watches sockets for a store. Then every verb with a call on it is called on
  /// its thread, and Store::leave() before it ends.
  virtual bool watches() const { return false; }

  /// Runs `ready` on the loop's thread whenever the socket can be read from or has failed, again
  /// and again until all of it was read. `ready` may destroy the watch. Called on the loop's
  /// thread, where watches() says that it may be.
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
  /// How long the call waited for its entity's turn; negative where it asked for none.
  std::chrono::nanoseconds turn_wait{-1};
};

}  // namespace onceproxy::store
