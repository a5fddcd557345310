#include "proxy/io/waker.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

namespace onceproxy::io {

Waker::Waker(EventLoop& loop, std::function<void()> woken) : loop_(loop), woken_(std::move(woken)) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  entry_ = ends[1];
  Socket socket(loop.context());
  socket.assign(asio::local::stream_protocol(), ends[0]);
  socket.non_blocking(true);
  watch_ = new Watch(std::move(socket), *this);
  watch_->wait_readable();
}

Waker::~Waker() {
  watch_->close();
  ::close(entry_);
}

void Waker::wake() noexcept {
  // If there is no room, the loop has bytes to read, and will be woken by those.
  static_cast<void>(::send(entry_, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void Waker::readable(ErrorCode error) {
  if (error) return;
  loop_.woke();
  // Before it is called: who wakes during that wakes anew.
  std::array<char, 64> bytes;
  std::size_t got = 0;
  std::size_t all = 0;
  do {
    ErrorCode empty;
    got = watch_->socket.read_some(asio::buffer(bytes), empty);
    all += got;
  } while (got == bytes.size());
  watch_->wait_readable();
  if (all > 0) woken_();
}

}  // namespace onceproxy::io
