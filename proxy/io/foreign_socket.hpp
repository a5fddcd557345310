// ForeignSocket: a socket that a library owns, watched on an event loop for a store (store::Loop).
// The descriptor is never closed here.
//
// Asio tells a wait that it was cancelled after this object may be gone, so handlers share a state
// that forgets its owner. Not thread-safe: one event loop.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "proxy/io/event_loop.hpp"
#include "store/call.hpp"

namespace onceproxy::io {

class ForeignSocket final : public store::SocketWatch {
 public:
  /// Throws boost::system::system_error if the kernel refuses to watch it.
  ForeignSocket(EventLoop& loop, int descriptor, std::function<void()> ready)
      : state_(std::make_shared<State>(loop, descriptor, std::move(ready))) {
    state_->wait_readable(state_);
  }
  ~ForeignSocket() override {
    state_->ready = nullptr;
    state_->descriptor.release();
  }

  void want_write(bool wanted) override {
    state_->wants_write = wanted;
    if (wanted) state_->wait_writable(state_);
  }

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

  struct State {
    State(EventLoop& its_loop, int number, std::function<void()> told)
        : loop(its_loop), descriptor(its_loop.context().get_executor(), number) {
      ready = std::move(told);
    }
    void wait_readable(const std::shared_ptr<State>& self) {
      descriptor.async_wait(Descriptor::wait_read, [self](ErrorCode error) {
        self->loop.woke();
        if (!self->tell(error)) return;
        self->wait_readable(self);
      });
    }
    void wait_writable(const std::shared_ptr<State>& self) {
      if (std::exchange(waits_writable, true)) return;
      descriptor.async_wait(Descriptor::wait_write, [self](ErrorCode error) {
        self->loop.woke();
        self->waits_writable = false;
        if (!self->wants_write) return;
        if (self->tell(error) && self->wants_write) self->wait_writable(self);
      });
    }
    /// False: the owner is gone and must not be called.
    bool tell(ErrorCode error) {
      if (!ready || error == asio::error::operation_aborted) return false;
      const auto told = ready;  // it may destroy the watch
      told();
      return static_cast<bool>(ready);
    }

    EventLoop& loop;
    Descriptor descriptor;
    std::function<void()> ready;
    bool wants_write = false;
    bool waits_writable = false;
  };

  const std::shared_ptr<State> state_;
};

}  // namespace onceproxy::io
