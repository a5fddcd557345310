#include "proxy/io/stream.hpp"

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "proxy/io/kernel.hpp"
#include "proxy/tls/session.hpp"

namespace onceproxy::io {

namespace {

constexpr int reads_in_a_row_max = 16;

}  // namespace

Stream::Stream(EventLoop& loop, std::chrono::milliseconds stall)
    : Deadline(loop.deadlines()), loop_(loop), stall_(stall) {}

Stream::Stream(EventLoop& loop, Socket socket, std::chrono::milliseconds stall)
    : Stream(loop, stall) {
  adopt(std::move(socket));
}

Stream::~Stream() {
  close();
}

void Stream::adopt(Socket socket) {
  ErrorCode error;
  socket.non_blocking(true, error);
  // Small writes go out at once: an answer must not wait for the client's acknowledgement. Fails on
  // a unix socket, which has no Nagle algorithm.
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  tcp_ = !error;
  if (tcp_ && tells_ends()) {
    socket.set_option(TellLeft(), error);
    tells_left_ = !error;
  }
  watch_ = new Watch(std::move(socket), *this);
}

void Stream::close() {
  if (watch_ == nullptr && connecting_ == nullptr) return;
  cancel();
  disarm();
  connecting_.reset();
  // As far as the kernel accepts it; the rest is not waited for.
  if (tls_ && watch_ != nullptr) tls_->finish();
  if (watch_ != nullptr) std::exchange(watch_, nullptr)->close();
}

void Stream::reset() {
  ErrorCode ignored;
  if (open()) watch_->socket.set_option(Socket::linger(true, 0), ignored);
  if (tls_) tls_->give_up();
  close();
}

void Stream::shutdown_send() {
  ErrorCode ignored;
  if (!open()) return;
  if (tls_) finish_tls();
  if (!finishing_) watch_->socket.shutdown(Socket::shutdown_send, ignored);
}

bool Stream::quiet(bool look) {
  if (!open() || ended_) return false;
  if (!readable_ && !look) return true;
  if (tls_) return tls_is_quiet();
  char byte;
  ErrorCode error;
  watch_->socket.receive(asio::buffer(&byte, 1), Socket::message_peek, error);
  if (!would_block(error)) {
    note(error);
    return false;
  }
  expect_more(error == asio::error::would_block);
  return true;
}

/// Of a call that was no read. EPIPE says what is known already.
void Stream::note(const ErrorCode& error) {
  if (error && error != asio::error::eof && error != asio::error::broken_pipe) {
    reset_by_peer_ = true;
  }
}

void Stream::awaited_twice(std::string_view) {}

/// True: the operation is awaited already. The caller must not wait for it.
bool Stream::refuse_second(const Waiter& waiter, std::string_view operation) {
  if (!waiter.handle) return false;
  close();
  awaited_twice(operation);
  return true;
}

// --- reading

bool Stream::begin_fill(std::size_t buffer_bytes_max) {
  read_bytes_max_ = buffer_bytes_max;
  read_error_ = IoError::none;
  if (!open()) {
    read_error_ = IoError::broken;
    return true;
  }
  // A reset that came together with bytes is no further change, so it must not be waited for.
  if (may_be_reset_) readable_ = true;
  if (!readable_ || !read_some()) {
    reads_in_a_row_ = 0;
    if (std::exchange(overdue_, false)) {
      read_error_ = IoError::timed_out;
      return true;
    }
    guard_read();
    if (begun_ && tcp_ && hurries_) {
      ErrorCode ignored;
      watch_->socket.set_option(AcknowledgeNow(), ignored);
    }
    return false;
  }
  if (++reads_in_a_row_ < reads_in_a_row_max) return true;
  // A peer that always has more must not keep the loop to itself.
  reads_in_a_row_ = 0;
  reader_.done = true;
  loop_.defer(*this);
  return false;
}

/// True: the read ended, well or not. False: there is nothing to read now.
bool Stream::read_some() {
  if (tls_) return read_through_tls();
  if (piping_ != nullptr) {
    const auto ended = splice_some();
    if (ended) return *ended;
  }
  const Buffer::Room room = buffer.prepare(read_bytes_max_);
  if (room.size == 0) {
    read_error_ = IoError::no_room;
    return true;
  }
  ErrorCode error;
  Received received;
  if (tells_left_) {
    received = receive(watch_->socket.native_handle(), room.data, room.size, error);
  } else {
    received.bytes = watch_->socket.read_some(asio::buffer(room.data, room.size), error);
  }
  const std::size_t got = received.bytes;
  const bool nothing_left = received.left == 0;
  if (got > 0) {
    buffer.commit(got);
    begun_ = true;
    may_be_reset_ = nothing_left;
    // Less than there was room for: the kernel has no more for now.
    if (got < room.size) expect_more(nothing_left);
    return true;
  }
  may_be_reset_ = false;
  if (would_block(error)) {
    expect_more(error == asio::error::would_block);
    return false;
  }
  ended_ = true;
  read_error_ = error == asio::error::eof && !reset_by_peer_ ? IoError::eof : IoError::broken;
  return true;
}

/// No read waits without end, also where its owner's deadline expired while no read was under way.
void Stream::guard_read() {
  read_guarded_ = !armed();
  if (read_guarded_) arm(stall_);
}

/// All that had come was read: the kernel says when there is more. `nothing_there`: see Watch.
void Stream::expect_more(bool nothing_there) {
  readable_ = false;
  if (!ended_) watch_->wait_readable(nothing_there);
}

// --- connecting

bool Stream::begin_connect(const std::vector<SocketAddress>& addresses,
                           std::chrono::milliseconds within) {
  connect_error_ = IoError::none;
  Connecting::Owner& told = *this;
  connecting_ = std::make_unique<Connecting>(loop_.context(), told, addresses, within);
  if (connecting_->start()) return false;
  connecting_.reset();
  connect_error_ = IoError::broken;
  return true;
}

/// Asio has waited until the socket was writable, and would go on asking the kernel for that: each
/// wait for reading would be told at once that it is. Registered anew, the socket is asked for what
/// is waited for.
void Stream::connected(Socket socket, std::size_t index) {
  loop_.woke();
  connecting_.reset();
  connected_to_ = index;
  ErrorCode error;
  const auto family = socket.local_endpoint(error).protocol();
  Socket registered(loop_.context());
  const auto descriptor = socket.release(error);
  registered.assign(family, descriptor, error);
  if (error) ::close(descriptor);
  adopt(std::move(registered));
  connector_.done = true;
  loop_.defer(*this);
}

void Stream::not_connected() {
  loop_.woke();
  connecting_.reset();
  connect_error_ = IoError::broken;
  connector_.done = true;
  loop_.defer(*this);
}

// --- what wakes them

// The caller may be destroyed when the coroutine is resumed, so the loop resumes it later.

void Stream::interrupt_reading(IoError error) {
  if (reader_.waits()) {
    read_error_ = error;
    reader_.done = true;
  }
  if (connector_.waits()) {
    connecting_.reset();
    shaking_ = false;
    connect_error_ = error;
    connector_.done = true;
  }
  if (reader_.done || connector_.done) loop_.defer(*this);
}

/// Resumes one whose operation has ended. That may be the end of the stream, too: if another is to
/// be resumed, it is left to the loop, which forgets what is destroyed.
void Stream::run() {
  Waiter& waiter = connector_.done ? connector_ : writer_.done ? writer_ : reader_;
  if (!waiter.done) return;
  const std::coroutine_handle<> handle = std::exchange(waiter, Waiter{}).handle;
  if (&waiter == &writer_) {
    guard_.reset();
    writing_ = nullptr;
  } else if (read_guarded_) {
    read_guarded_ = false;
    disarm();
  }
  if (reader_.done || writer_.done) loop_.defer(*this);
  handle.resume();
}

void Stream::readable(ErrorCode error) {
  loop_.woke();
  readable_ = true;
  if (error) {
    // There will be no news any more.
    ended_ = true;
    interrupt_reading(IoError::broken);
  } else if (tls_ && moved_by_reading()) {
    return;
  } else if (reader_.waits()) {
    reader_.done = read_some();
  }
  if (reader_.done) {
    loop_.defer(*this);
  } else if (!reader_.handle && !quiet(true)) {
    heard();
  }
}

}  // namespace onceproxy::io
