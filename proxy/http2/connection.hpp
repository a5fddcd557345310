// Connection: one client's socket and the HTTP/2 session on it. It makes the TLS handshake, moves
// bytes between the socket and the session, and starts the handlers of requests. It closes a
// connection that is idle, silent, too slow, or drained.
//
// Not thread-safe: used on one event loop. Handlers may outlive the connection.
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
  /// Shared by the connections of a port. All members must outlive the connections and their
  /// handlers.
  struct Parts {
    io::EventLoop& loop;
    const Limits& limits;
    Handler& handler;
    /// The port's name, for the log.
    std::string listener;
    telemetry::Http2Counters& counters;
    telemetry::TlsMetrics& tls_metrics;
    telemetry::TlsPort tls_port;
    /// The number of running handlers of all connections.
    std::size_t handlers = 0;
  };

  /// `address`: of the client, without the port. `slot`: a slot of the limit of connections. `tls`:
  /// the context for the handshake; nullptr: there is no TLS, and the client begins with HTTP/2.
  Connection(Parts& parts, io::Socket socket, std::string address, io::Slots::Taken slot,
             std::shared_ptr<const tls::ServerContext> tls);
  ~Connection();

  /// Serves the connection until it ends.
  io::Task<void> serve();

  /// Tells the client that no more requests are accepted. The connection ends when the requests
  /// under way have ended.
  void drain() { end_softly(telemetry::Http2End::drained); }
  /// Closes the socket at once; open exchanges become gone.
  void close();

  /// Since when it has neither a stream nor a handler; nothing if it has one, or is ending already.
  std::optional<std::chrono::steady_clock::time_point> unused_since() const;
  /// Its slot is needed for another one: it ends, after the requests that are on their way.
  void give_way();

  /// The index in the port's list of connections.
  std::size_t index = 0;

 private:
  using Clock = std::chrono::steady_clock;

  struct Kick {
    Connection& connection;
    bool await_ready() const noexcept { return std::exchange(connection.kicked_, false); }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { connection.writer_ = waiter; }
    void await_resume() const noexcept { connection.kicked_ = false; }
  };

  /// Waits until the client may be read from.
  struct Rest {
    Connection& connection;
    bool await_ready() const { return !connection.must_rest(); }
    void await_suspend(std::coroutine_handle<> waiter) { connection.begin_rest(waiter); }
    void await_resume() const noexcept {}
  };

  io::Task<bool> shake_hands();
  io::Task<bool> read_in();
  io::Task<void> write_out();
  io::Task<void> linger();
  bool must_rest() const;
  void begin_rest(std::coroutine_handle<> waiter);
  void look_at_rest();
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
  /// Waits until there is output.
  std::coroutine_handle<> writer_;
  bool kicked_ = false;
  /// The reader, while the client's resets are paced.
  std::coroutine_handle<> resting_;
  bool told_rest_ = false;
  /// If true, nothing more is read or written.
  bool done_ = false;

  std::optional<telemetry::Http2End> end_;
  std::optional<Clock::time_point> ending_since_;
  /// When the socket is closed even if there is still output.
  std::optional<Clock::time_point> close_at_;
  const Clock::time_point began_;
  Clock::time_point last_read_;
  std::optional<Clock::time_point> pinged_;
  std::optional<Clock::time_point> idle_since_;
  /// The last unfinished header block, and when it was first seen.
  std::uint64_t block_ = 0;
  Clock::time_point block_since_;
};

}  // namespace onceproxy::http2
