// Writing: each write waits until the kernel has taken all of it, or something ends the write.
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <span>
#include <utility>

#include "proxy/io/stream.hpp"

namespace onceproxy::io {

namespace {

/// Parts that are no more together are put together before they are written: the kernel takes them
/// one by one, and a second part costs more than a copy of both.
constexpr std::size_t joined_bytes_max = 2048;

/// `more`: what follows at once may go with it in one segment.
std::size_t write_some(Socket& socket, const Stream::Parts& parts, bool more, ErrorCode& error) {
  const int flags = more ? MSG_MORE : 0;
  std::array<asio::const_buffer, Stream::parts_max> buffers;
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    buffers[count++] = asio::const_buffer(part.data(), part.size());
    bytes += part.size();
  }
  if (count == 1) return socket.send(buffers[0], flags, error);
  if (bytes > joined_bytes_max) {
    return socket.send(std::span(buffers.data(), count), flags, error);
  }
  std::array<char, joined_bytes_max> joined;
  // GCC 12 makes a loop over single bytes of std::ranges::copy().
  char* end = joined.data();
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(end, buffers[i].data(), buffers[i].size());
    end += buffers[i].size();
  }
  return socket.send(asio::const_buffer(joined.data(), bytes), flags, error);
}

}  // namespace

bool Stream::WriteAwaiter::advance() {
  tried_ = true;
  if (if_quiet_ && result_.nothing_left() && !stream_.quiet(false)) {
    result_.error = IoError::broken;
    return true;
  }
  while (true) {
    if (!stream_.open()) {
      result_.error = IoError::broken;
      return true;
    }
    if (stream_.tls_) return stream_.write_through_tls(*this);
    const bool more = piped_ != nullptr && !piped_->empty();
    if (std::ranges::all_of(parts_, &std::string_view::empty)) {
      return !more || stream_.write_piped(*this);
    }
    ErrorCode error;
    std::size_t left = write_some(stream_.watch_->socket, parts_, more, error);
    if (error) {
      if (would_block(error)) return false;
      stream_.note(error);
      result_.error = IoError::broken;
      return true;
    }
    // A write is refused after a reset.
    stream_.may_be_reset_ = false;
    result_.bytes += left;
    for (std::string_view& part : parts_) {
      const std::size_t taken = std::min(left, part.size());
      part.remove_prefix(taken);
      left -= taken;
    }
  }
}

void Stream::begin_write(WriteAwaiter& writing, std::coroutine_handle<> waiter) {
  writer_ = {waiter};
  writing_ = &writing;
  begun_ = false;
  loop_.write_later(*this);
}

bool Stream::write_now() {
  if (!writer_.waits()) return false;  // it was cut short, and is resumed for that
  writer_.done = writing_->advance();
  if (writer_.done) return true;
  if (writing_->listens_ && !reader_.handle && !quiet(true)) {
    writing_->result_.error = IoError::peer_spoke;
    writer_.done = true;
    return true;
  }
  guard_write();
  wait_to_write();
  return false;
}

void Stream::written() {
  // Unless it was resumed meanwhile.
  if (writer_.done) run();
}

void Stream::guard_write() {
  if (!guard_) guard_.emplace(*this);
  guard_->arm(stall_);
  if (read_guarded_) arm(stall_);
}

/// There is something to read, and no reader.
void Stream::heard() {
  if (!writer_.waits() || !writing_->listens_) return heard_unasked();
  // One that was not tried yet will see for itself.
  if (writing_->tried_) interrupt_writing(IoError::peer_spoke);
}

void Stream::interrupt_writing(IoError error) {
  if (!writer_.waits()) return;
  if (error != IoError::peer_spoke) write_abandoned_ = true;
  writing_->result_.error = error;
  writer_.done = true;
  loop_.defer(*this);
}

void Stream::writable(ErrorCode error) {
  loop_.woke();
  if (tls_ && !error && moved_by_writing()) return;
  if (!writer_.waits()) return;
  if (error) {
    interrupt_writing(IoError::broken);
    return;
  }
  const std::size_t before = writing_->result_.bytes;
  writer_.done = writing_->advance();
  if (writer_.done) {
    loop_.defer(*this);
    return;
  }
  if (writing_->result_.bytes > before) guard_write();
  wait_to_write();
}

}  // namespace onceproxy::io
