#include "proxy/http/tunnel.hpp"

namespace onceproxy::http {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

}  // namespace

io::Task<void> Tunnel::run() {
  upload_.begin(carry(client_, upstream_));
  std::exception_ptr error;
  try {
    co_await carry(upstream_, client_);
  } catch (...) {
    error = std::current_exception();
  }
  // Both read only within the idle timeout, and a direction that fails closes both streams.
  co_await upload_.ended();
  if (error) std::rethrow_exception(error);
}

/// One direction. What it does not foresee ends the other one too.
io::Task<void> Tunnel::carry(Side& from, Side& to) {
  try {
    co_await pump(from, to);
  } catch (...) {
    over_ = true;
    from.stream.close();
    to.stream.close();
    throw;
  }
}

io::Task<void> Tunnel::pump(Side& from, Side& to) {
  io::Stream& source = from.stream;
  while (true) {
    while (!source.buffer.empty()) {
      const std::string_view bytes = source.buffer.view();
      const io::IoResult written = co_await to.stream.write(bytes);
      to.received += written.bytes;
      source.buffer.consume(written.bytes);
      if (written.error != io::IoError::none) {
        // The other side accepts no more bytes: end both directions.
        break_off(to, from);
        co_return;
      }
    }
    const std::uint64_t before = client_.received + upstream_.received;
    source.expire_after(idle_);
    const io::IoError error = co_await source.fill(buffer_bytes);
    source.disarm();
    if (error == io::IoError::none) continue;
    // Silence here is not an end while the other direction moves.
    if (error == io::IoError::timed_out && client_.received + upstream_.received != before) {
      continue;
    }
    if (error == io::IoError::eof) {
      from.ended = true;
      to.stream.shutdown_send();
    } else if (error == io::IoError::broken) {
      break_off(from, to);
    } else {
      over_ = true;
      to.stream.cancel();
    }
    co_return;
  }
}

/// Ends both directions after a failure of `broken`. If that side has ended in order before, or was
/// closed here, its failure is no news for the other one.
void Tunnel::break_off(Side& broken, Side& other) {
  const bool is_news = !over_ && !broken.ended && broken.stream.open();
  over_ = true;
  broken.stream.cancel();
  if (is_news) {
    other.stream.reset();
  } else {
    other.stream.cancel();
  }
}

}  // namespace onceproxy::http
