#include "proxy/http/tunnel.hpp"

namespace onceproxy::http {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

}  // namespace

gate::Task<void> Tunnel::run() {
  upload_.begin(carry(client_, upstream_, to_upstream_));
  std::exception_ptr error;
  try {
    co_await carry(upstream_, client_, to_client_);
  } catch (...) {
    error = std::current_exception();
  }
  // Both read only within the idle timeout, and a direction that fails closes both streams.
  co_await upload_.ended();
  if (error) std::rethrow_exception(error);
}

/// One direction. What it does not foresee ends the other one too.
gate::Task<void> Tunnel::carry(Stream& from, Stream& to, std::uint64_t& moved) {
  try {
    co_await pump(from, to, moved);
  } catch (...) {
    from.close();
    to.close();
    throw;
  }
}

gate::Task<void> Tunnel::pump(Stream& from, Stream& to, std::uint64_t& moved) {
  while (true) {
    while (!from.buffer.empty()) {
      const std::string_view bytes = from.buffer.view();
      const IoResult written = co_await to.write(bytes);
      moved += written.bytes;
      from.buffer.consume(written.bytes);
      if (written.error != IoError::none) {
        // Nobody takes what comes from here any more: end both directions.
        from.cancel();
        to.cancel();
        co_return;
      }
    }
    const std::uint64_t before = to_client_ + to_upstream_;
    from.expire_after(idle_);
    const IoError error = co_await from.fill(buffer_bytes);
    from.disarm();
    if (error == IoError::none) continue;
    // Silence here is no end while the other direction moves.
    if (error == IoError::timed_out && to_client_ + to_upstream_ != before) continue;
    if (error == IoError::eof) {
      to.shutdown_send();
    } else {
      to.cancel();
    }
    co_return;
  }
}

}  // namespace onceproxy::http
