// Watch: a socket, and the waits for it that Asio has under way, at most one in each direction.
//
// Asio tells a wait that it was aborted after the socket was closed, when the owner of the socket
// may be gone. So a wait shares the watch, and the watch forgets its owner when it is closed.
// A wait for reading costs no allocation: the watch is its operation.
//
// Why waits, and not Asio's reads: an asynchronous read is tried at once, and usually there is
// nothing yet, which costs a system call. The wait leaves the read, its buffer and its moment to
// the owner.
//
// Asio's own wait for reading has the kernel look at the socket again (EPOLL_CTL_MOD), a system
// call for each wait. Its reactor can do without, since it hears of every change anyway
// (EPOLLET), but has no public name for such a wait. So the watch is an operation of the reactor,
// in the one version of Boost that this was written for; with another version Asio's wait is used.
// What is different for the owner: it may be told that there is something to read where there is
// nothing.
// Not thread-safe: one event loop.
#pragma once

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
    /// A read should not block: there are bytes, an end or an error. `error`: Asio could not wait.
    virtual void readable(ErrorCode error) = 0;
    virtual void writable(ErrorCode error) = 0;

   protected:
    ~Owner() = default;
  };

  Watch(Socket its_socket, Owner& owner) : socket(std::move(its_socket)), owner_(&owner) {}

  /// Tells the owner once, also where there is something to read by now. The owner has read all
  /// that there was since it was told the last time.
  void wait_readable() {
    if (std::exchange(waits_readable_, true)) return;
#ifdef ONCEPROXY_WAITS_IN_REACTOR
    readable_.start(*this);
#else
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
  /// A wait of the reactor's that uses up what the reactor knows: it is performed once for each
  /// time that something changes, and does nothing then.
  class Readable final : public asio::detail::reactor_op {
   public:
    Readable() : reactor_op(ErrorCode(), &Readable::perform, &Readable::complete) {}

    /// The watch lives as long as this is under way.
    void start(Watch& watch) {
      watch_ = &watch;
      ec_ = ErrorCode();
      auto& implementation = (watch.socket.*(&Reach::impl_)).get_implementation();
      asio::use_service<asio::detail::reactor>(watch.socket.get_executor().context())
          .start_op(asio::detail::reactor::read_op, implementation.socket_,
                    implementation.reactor_data_, this, false, true);
    }

   private:
    /// For the name of a protected member.
    struct Reach : Socket {
      using Socket::impl_;
    };
    static status perform(reactor_op*) { return done_and_exhausted; }
    /// Without an `owner`, the context is being destroyed.
    static void complete(void* owner, asio::detail::operation* base, const ErrorCode&,
                         std::size_t) {
      auto& self = *static_cast<Readable*>(base);
      const Pointer watch = std::move(self.watch_);
      if (owner != nullptr) watch->told_readable(self.ec_);
    }
    Pointer watch_;
  };
  Readable readable_;
#endif

  Owner* owner_;
  bool waits_readable_ = false;
  bool waits_writable_ = false;
};

}  // namespace onceproxy::io
