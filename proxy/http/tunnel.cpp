#include "proxy/http/tunnel.hpp"

namespace onceproxy::http {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

}  // namespace

gate::Task<void> Tunnel::run() {
  gate::start(pump_to_upstream());
  co_await pump(upstream_, client_, to_client_);
  struct Awaiter {
    Tunnel& tunnel;
    bool await_ready() const noexcept { return !tunnel.uploading_; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { tunnel.waiter_ = waiter; }
    void await_resume() const noexcept {}
  };
  Awaiter other_direction{*this};
  co_await other_direction;
}

gate::Task<void> Tunnel::pump_to_upstream() {
  co_await pump(client_, upstream_, to_upstream_);
  uploading_ = false;
  if (waiter_) std::exchange(waiter_, nullptr).resume();
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
