#include "proxy/http/stream.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace onceproxy::http {

bool Stream::begin_fill(std::size_t buffer_bytes_max) {
  if (reading_ || read_done_) return true;
  const asio::mutable_buffer room = buffer.prepare(buffer_bytes_max);
  if (room.size() == 0) return false;
  reading_ = true;
  socket_.async_read_some(
      room, [this](Error error, std::size_t bytes) { read_ended(error, bytes); });
  return true;
}

Error Stream::end_fill() noexcept {
  read_done_ = false;
  return read_error_;
}

void Stream::watch(std::size_t buffer_bytes_max) { begin_fill(buffer_bytes_max); }

void Stream::read_ended(Error error, std::size_t bytes) {
  reading_ = false;
  read_done_ = true;
  read_error_ = cause(error);
  buffer.commit(bytes);
  if (reader_) {
    std::exchange(reader_, nullptr).resume();
  } else {
    idle_read_ended();
  }
}

Error Stream::cause(Error error) const {
  if (error == asio::error::operation_aborted && timed_out_) return asio::error::timed_out;
  return error;
}

void Stream::cancel() noexcept {
  Error ignored;
  socket_.cancel(ignored);
}

void Stream::close() noexcept {
  disarm();
  Error ignored;
  socket_.close(ignored);
}

void Stream::shutdown_send() noexcept {
  Error ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::expired() {
  timed_out_ = true;
  cancel();
}

bool Stream::WriteAwaiter::advance(std::size_t bytes) {
  result_.bytes += bytes;
  bool all = true;
  for (asio::const_buffer& part : parts_) {
    const std::size_t taken = std::min(bytes, part.size());
    part += taken;
    bytes -= taken;
    if (part.size() > 0) all = false;
  }
  return all;
}

bool Stream::WriteAwaiter::await_ready() {
  while (true) {
    Error error;
    const std::size_t bytes = stream_.socket_.write_some(parts_, error);
    if (advance(bytes)) return true;
    if (error == asio::error::would_block || error == asio::error::try_again) return false;
    if (error) {
      result_.error = error;
      return true;
    }
  }
}

void Stream::WriteAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  guarded_ = !stream_.armed();
  write_more();
}

void Stream::WriteAwaiter::write_more() {
  if (guarded_) stream_.expire_after(stream_.stall_);
  stream_.socket_.async_write_some(parts_, [this](Error error, std::size_t bytes) {
    const bool all = advance(bytes);
    if (!all && !error) {
      write_more();
      return;
    }
    if (guarded_) stream_.disarm();
    result_.error = stream_.cause(error);
    waiter_.resume();
  });
}

void prepare_socket(Socket& socket) {
  Error ignored;
  socket.non_blocking(true, ignored);
  // Fails on a unix socket, which has no Nagle algorithm.
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
}

}  // namespace onceproxy::http
