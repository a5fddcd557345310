#include "proxy/http/tunnel.hpp"

namespace onceproxy::http {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

}  // namespace

io::Task<void> Tunnel::run() {
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
io::Task<void> Tunnel::carry(io::Stream& from, io::Stream& to, std::uint64_t& moved) {
  try {
    co_await pump(from, to, moved);
  } catch (...) {
    from.close();
    to.close();
    throw;
  }
}

io::Task<void> Tunnel::pump(io::Stream& from, io::Stream& to, std::uint64_t& moved) {
  while (true) {
    while (!from.buffer.empty()) {
      const std::string_view bytes = from.buffer.view();
      const io::IoResult written = co_await to.write(bytes);
      moved += written.bytes;
      from.buffer.consume(written.bytes);
      if (written.error != io::IoError::none) {
        // The other side accepts no more bytes: end both directions.
        from.cancel();
        to.cancel();
        co_return;
      }
    }
    const std::uint64_t before = to_client_ + to_upstream_;
    from.expire_after(idle_);
    const io::IoError error = co_await from.fill(buffer_bytes);
    from.disarm();
    if (error == io::IoError::none) continue;
    // Silence here is not an end while the other direction moves.
    if (error == io::IoError::timed_out && to_client_ + to_upstream_ != before) continue;
    if (error == io::IoError::eof) {
      to.shutdown_send();
    } else {
      to.cancel();
    }
    co_return;
  }
}

}  // namespace onceproxy::http
