// The part of a Stream that lets the kernel move bytes: out of a socket into a pipe, and out of
// that into another socket. See splice(2).
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "proxy/io/stream.hpp"

namespace onceproxy::io {

namespace {

constexpr unsigned int flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/// A read that brought as much came from a peer that sends whole segments, and waits for no
/// acknowledgement.
constexpr std::size_t whole_segments_bytes = 64 * 1024;

}  // namespace

bool Stream::take_piped(Piped& piped, std::uint64_t bytes_max) {
  if (!open() || !splices() || !readable_ || reader_.handle) return false;
  piping_ = &piped;
  pipe_bytes_max_ = bytes_max;
  const auto ended = splice_some();
  piping_ = nullptr;
  return ended.value_or(false) && !piped.empty();
}

/// As read_some(), into the pipe. Nothing: that is not possible, and the bytes are to be read. An
/// end or an error is left to that, too.
std::optional<bool> Stream::splice_some() {
  if (!piping_->open()) return std::nullopt;
  const auto bytes_max = static_cast<std::size_t>(
      std::min<std::uint64_t>(pipe_bytes_max_, Pipes::pipe_bytes - piping_->bytes()));
  const ssize_t got = ::splice(watch_->socket.native_handle(), nullptr, piping_->entry(), nullptr,
                               bytes_max, flags);
  if (got > 0) {
    piping_->came(static_cast<std::size_t>(got));
    begun_ = static_cast<std::size_t>(got) < whole_segments_bytes;
    return true;
  }
  const int failed = errno;
  const bool nothing_there = got < 0 && (failed == EAGAIN || failed == EINTR);
  if (piping_->empty()) piping_->drop();
  if (!nothing_there) {
    if (got < 0) note(ErrorCode(failed, boost::system::system_category()));
    return std::nullopt;
  }
  expect_more();
  return false;
}

/// As WriteAwaiter::advance().
bool Stream::write_piped(WriteAwaiter& writing) {
  Piped& piped = *writing.piped_;
  while (!piped.empty()) {
    const ssize_t left = ::splice(piped.exit(), nullptr, watch_->socket.native_handle(), nullptr,
                                  piped.bytes(), flags);
    if (left > 0) {
      may_be_reset_ = false;
      writing.result_.bytes += static_cast<std::size_t>(left);
      piped.went(static_cast<std::size_t>(left));
      continue;
    }
    if (left < 0 && errno == EINTR) continue;
    if (left < 0 && errno == EAGAIN) return false;
    if (left < 0) note(ErrorCode(errno, boost::system::system_category()));
    writing.result_.error = IoError::broken;
    return true;
  }
  return true;
}

}  // namespace onceproxy::io
