// Waker: lets another thread have a function called on the loop's thread.
//
// It costs one system call to wake and one to be woken, and takes no lock. EventLoop::post() wakes
// the loop while it holds the lock of Asio's queue, which the loop's thread takes next: that
// thread then sleeps a second time. So what comes often comes this way.
//
// Thread-safety: wake() from any thread; everything else on the loop's thread, or before it runs.
#pragma once

#include <functional>

#include "proxy/io/event_loop.hpp"
#include "proxy/io/watch.hpp"

namespace onceproxy::io {

class Waker final : private Watch::Owner {
 public:
  /// `woken` is called soon after each wake(), once for several that come together. Throws
  /// std::system_error if the kernel has no descriptors left.
  Waker(EventLoop& loop, std::function<void()> woken);
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void wake() noexcept;

 private:
  void readable(ErrorCode error) override;
  void writable(ErrorCode) override {}

  EventLoop& loop_;
  const std::function<void()> woken_;
  Watch::Pointer watch_;
  /// What is written to.
  int entry_ = -1;
};

}  // namespace onceproxy::io
