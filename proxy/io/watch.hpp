// Watch: a socket, and the waits for it that Asio has under way, at most one in each direction.
//
// Asio tells a wait that it was aborted after the socket was closed, when the owner of the socket
// may be gone. So a wait shares the watch, and the watch forgets its owner when it is closed.
// A wait for reading costs no allocation: it lives in the watch.
//
// Why waits, and not Asio's reads: an asynchronous read is tried at once, and usually there is
// nothing yet. The wait leaves the read, its buffer and its moment to the owner.
//
// Asio's async_wait() has the kernel look at the socket again (EPOLL_CTL_MOD), a system call for
// each wait. The reactor is told of every change anyway (EPOLLET), so this is not necessary if the
// owner knows that there was nothing to read a moment ago. Asio has no public name for such a wait.
// So the wait is an operation of the reactor, as Asio's own are, in the version of Boost that this
// was written for. With another version it is async_wait().
// Not thread-safe: one event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <boost/version.hpp>
#include <utility>

#include "proxy/io/socket.hpp"

#if BOOST_VERSION / 100 == 1081
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#define ONCEPROXY_WAITS_IN_REACTOR 1
#endif

namespace onceproxy::io {

class Watch final : public boost::intrusive_ref_counter<Watch, boost::thread_unsafe_counter> {
 public:
  using Pointer = boost::intrusive_ptr<Watch>;

  /// Hears of the waits' ends. May close the watch, or be destroyed, in that call.
  class Owner {
   public:
    /// There are bytes, an end or an error to read; or, rarely, nothing, because the reactor knew
    /// of bytes that were read since. `error`: Asio could not wait.
    virtual void readable(ErrorCode error) = 0;
    virtual void writable(ErrorCode error) = 0;

   protected:
    ~Owner() = default;
  };

  Watch(Socket its_socket, Owner& owner) : socket(std::move(its_socket)), owner_(&owner) {}

  /// Tells the owner once, also if there is something to read by now. `nothing_there`: the kernel
  /// said in the last read that there was nothing more, neither bytes nor an end, and no read was
  /// refused or cut short since.
  void wait_readable(bool nothing_there = false) {
    if (std::exchange(waits_readable_, true)) return;
#ifdef ONCEPROXY_WAITS_IN_REACTOR
    readable_.start(*this, nothing_there);
#else
    static_cast<void>(nothing_there);
    socket.async_wait(Socket::wait_read,
                      [self = Pointer(this)](ErrorCode error) { self->told_readable(error); });
#endif
  }
  void wait_writable() {
    if (std::exchange(waits_writable_, true)) return;
    socket.async_wait(Socket::wait_write, [self = Pointer(this)](ErrorCode error) {
      self->waits_writable_ = false;
      if (self->owner_ != nullptr) self->owner_->writable(error);
    });
  }

  /// The owner hears no more.
  void close() {
    owner_ = nullptr;
    ErrorCode ignored;
    socket.close(ignored);
  }

  Socket socket;

 private:
  void told_readable(ErrorCode error) {
    waits_readable_ = false;
    if (owner_ != nullptr) owner_->readable(error);
  }

#ifdef ONCEPROXY_WAITS_IN_REACTOR
  class Readable final : public asio::detail::reactor_op {
   public:
    explicit Readable(Socket& socket)
        : reactor_op(ErrorCode(), &Readable::perform, &Readable::complete),
          reactor_(asio::use_service<asio::detail::reactor>(socket.get_executor().context())) {}

    /// The watch lives as long as this is under way.
    void start(Watch& watch, bool nothing_there) {
      watch_ = &watch;
      ec_ = ErrorCode();
      // The reactor performs an operation that may be speculative at once, if it knows of a change.
      // Any other has the kernel look again.
      starting_ = true;
      auto& implementation = (watch.socket.*(&Reach::impl_)).get_implementation();
      reactor_.start_op(asio::detail::reactor::read_op, implementation.socket_,
                        implementation.reactor_data_, this, false, nothing_there);
      starting_ = false;
    }

   private:
    /// For the name of a protected member.
    struct Reach : Socket {
      using Socket::impl_;
    };
    static status perform(reactor_op* base) {
      return static_cast<Readable*>(base)->starting_ ? not_done : done_and_exhausted;
    }
    /// Without an `owner`, the context is being destroyed.
    static void complete(void* owner, asio::detail::operation* base, const ErrorCode&,
                         std::size_t) {
      auto& self = *static_cast<Readable*>(base);
      const Pointer watch = std::move(self.watch_);
      if (owner != nullptr) watch->told_readable(self.ec_);
    }

    asio::detail::reactor& reactor_;
    Pointer watch_;
    bool starting_ = false;
  };
  Readable readable_{socket};
#endif

  Owner* owner_;
  bool waits_readable_ = false;
  bool waits_writable_ = false;
};

}  // namespace onceproxy::io
