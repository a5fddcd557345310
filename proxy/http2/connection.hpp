// Connection: one client's socket, and the HTTP/2 session on it. It makes the TLS handshake, moves
// bytes between the socket and the session, starts the handlers of requests, and ends a connection
// that is idle, silent, too slow, or drained.
//
// Not thread-safe: one event loop. Handlers may outlive it.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proxy/http2/handler.hpp"
#include "proxy/http2/limits.hpp"
#include "proxy/http2/session.hpp"
#include "proxy/io/deadline.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/side_task.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/io/task.hpp"
#include "proxy/telemetry/http2_metrics.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::http2 {

class Connection final : private Session::Owner,
                         private io::Deadline,
                         private io::EventLoop::Deferred {
 public:
  /// What a port's connections share; all must outlive them and their handlers.
  struct Parts {
    io::EventLoop& loop;
    const Limits& limits;
    Handler& handler;
    /// The port's name, for the log.
    std::string listener;
    telemetry::Http2Counters& counters;
    telemetry::TlsMetrics& tls_metrics;
    telemetry::TlsPort tls_port;
    /// Handlers that run, of all connections.
    std::size_t handlers = 0;
  };

  /// `address`: the peer's, without its port. `slot`: of the limit of connections. `tls`: what a
  /// handshake is made with; nullptr: none is, and the client speaks HTTP/2 at once.
  Connection(Parts& parts, io::Socket socket, std::string address, io::Slots::Taken slot,
             std::shared_ptr<const tls::ServerContext> tls);
  ~Connection();

  /// Serves until the connection ends.
  io::Task<void> serve();

  /// The client is told that no further requests are taken; ends when those under way have.
  void drain() { end_softly(telemetry::Http2End::drained); }
  /// The socket is gone at once, and exchanges become gone.
  void close();

  /// Place in the port's list of connections.
  std::size_t index = 0;

 private:
  using Clock = std::chrono::steady_clock;

  struct Kick {
    Connection& connection;
    bool await_ready() const noexcept { return std::exchange(connection.kicked_, false); }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { connection.writer_ = waiter; }
    void await_resume() const noexcept { connection.kicked_ = false; }
  };

  io::Task<bool> shake_hands();
  io::Task<bool> read_in();
  io::Task<void> write_out();
  io::Task<void> linger();
  void start_handlers();
  static io::Task<void> handle(Parts& parts, Exchange::Pointer exchange);
  void end_softly(telemetry::Http2End why);
  void go_on_ending();
  void note_end(telemetry::Http2End why);
  void note_session_end();
  void tell_end() const;
  void look(Clock::time_point now);
  bool look_at_silence(Clock::time_point now);
  bool look_at_heads(Clock::time_point now);

  void wants_to_write() override;
  void run() override;
  void expired() override;

  Parts& parts_;
  const io::Slots::Taken slot_;
  io::Stream stream_;
  std::shared_ptr<const tls::ServerContext> tls_context_;
  const std::shared_ptr<Origin> origin_;
  std::optional<Session> session_;

  io::SideTask writing_;
  std::string out_;
  /// Waits for something to write.
  std::coroutine_handle<> writer_;
  bool kicked_ = false;
  /// Nothing more is read or written.
  bool done_ = false;

  std::optional<telemetry::Http2End> end_;
  std::optional<Clock::time_point> ending_since_;
  /// The socket is closed then, whatever is left to be written.
  std::optional<Clock::time_point> close_at_;
  const Clock::time_point began_;
  Clock::time_point last_read_;
  std::optional<Clock::time_point> pinged_;
  std::optional<Clock::time_point> idle_since_;
  /// The last header block that was seen before its end, and when it was seen first.
  std::uint64_t block_ = 0;
  Clock::time_point block_since_;
};

}  // namespace onceproxy::http2
