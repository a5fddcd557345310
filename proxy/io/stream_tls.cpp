// The part of a Stream that speaks TLS. What is different: bytes may have come without the socket
// being readable, and the socket may be readable without bytes having come; a record that the
// kernel took only a part of has to be offered again as it was; and the end has to be said.
#include "proxy/io/stream.hpp"
#include "proxy/tls/session.hpp"

namespace onceproxy::io {

using Result = tls::Session::Result;

void Stream::speak_tls(std::shared_ptr<const tls::ServerContext> context) {
  tls_ = std::make_unique<tls::Session>(std::move(context), watch_->socket.native_handle());
}

void Stream::speak_tls(std::shared_ptr<const tls::ClientContext> context) {
  tls_ = std::make_unique<tls::Session>(std::move(context), watch_->socket.native_handle());
}

// --- the handshake

bool Stream::begin_handshake() {
  connect_error_ = IoError::none;
  if (!open()) {
    connect_error_ = IoError::broken;
    return true;
  }
  shaking_ = true;
  return shake_on();
}

/// True: the handshake is over, well or not.
bool Stream::shake_on() {
  switch (tls_->handshake()) {
    case Result::wants_read:
      expect_more();
      return false;
    case Result::wants_write:
      watch_->wait_writable();
      return false;
    case Result::done:
      // What came behind it may be here already.
      readable_ = true;
      break;
    default:
      connect_error_ = IoError::broken;
      break;
  }
  shaking_ = false;
  return true;
}

void Stream::handshake_moved() {
  if (!shake_on()) return;
  connector_.done = true;
  loop_.defer(*this);
}

// --- reading

/// As read_some().
bool Stream::read_through_tls() {
  const Buffer::Room room = buffer.prepare(read_bytes_max_);
  if (room.size == 0) {
    read_error_ = IoError::no_room;
    return true;
  }
  std::size_t filled = 0;
  while (filled < room.size) {
    std::size_t got = 0;
    const Result result = tls_->read(room.data + filled, room.size - filled, got);
    filled += got;
    if (result == Result::done) {
      if (!tls_->drained()) continue;
      expect_more();
      break;
    }
    if (result == Result::wants_read || result == Result::wants_write) {
      expect_more();
      if (result == Result::wants_write) watch_->wait_writable();
      if (filled == 0) return false;
      break;
    }
    ended_ = true;
    // What came before the end is used up first; reading again tells the end again.
    if (filled == 0) read_error_ = result == Result::end ? IoError::eof : IoError::broken;
    break;
  }
  buffer.commit(filled);
  if (filled > 0) begun_ = true;
  return true;
}

/// As quiet(): session tickets do not wake the reader.
bool Stream::tls_is_quiet() {
  if (!tls_->quiet()) {
    // The bytes may have left the socket already, and the kernel reports them no more.
    readable_ = true;
    return false;
  }
  expect_more();
  return true;
}

/// The socket is readable. True: that was not for a reader's sake.
bool Stream::moved_by_reading() {
  if (shaking_) {
    handshake_moved();
    return true;
  }
  if (write_waits_to_read_ && writer_.waits()) {
    write_waits_to_read_ = false;
    writable({});
    // What came may be for a reader, too.
  }
  return !reader_.handle && tls_is_quiet();
}

/// The socket is writable. True: that was not for a writer's sake.
bool Stream::moved_by_writing() {
  if (finishing_) {
    shutdown_send();
    return true;
  }
  if (shaking_) {
    handshake_moved();
    return true;
  }
  if (writer_.waits()) return false;
  // A read may have had to write.
  if (reader_.waits() && read_some()) {
    reader_.done = true;
    loop_.defer(*this);
  }
  return true;
}

// --- writing

/// As WriteAwaiter::advance().
bool Stream::write_through_tls(WriteAwaiter& writing) {
  IoResult& result = writing.result_;
  const std::uint64_t before = tls_->bytes_sent();
  const Result written = tls_->write(writing.parts_, result.bytes);
  if (tls_->bytes_sent() != before) result.some_left = true;
  write_waits_to_read_ = written == Result::wants_read;
  if (written == Result::wants_read || written == Result::wants_write) return false;
  if (written != Result::done) result.error = IoError::broken;
  return true;
}

/// What a write waits for that could not end.
void Stream::wait_to_write() {
  if (write_waits_to_read_) {
    expect_more();
  } else {
    watch_->wait_writable();
  }
}

// --- the end

/// FIN with its close_notify before it (RFC 8446, section 6.1).
void Stream::finish_tls() {
  finishing_ = tls_->finish() == Result::wants_write;
  if (finishing_) watch_->wait_writable();
}

}  // namespace onceproxy::io
