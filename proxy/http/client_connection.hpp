// ClientConnection: one client's connection, with one request after the other. It makes the TLS
// handshake, reads and validates heads, passes each request to the dispatcher, and decides whether
// the connection stays open.
//
// A request is read only when the previous one has been answered, so a client that pipelines needs
// only one buffer. Not thread-safe: used on its worker's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "proxy/http/client.hpp"
#include "proxy/http/dispatcher.hpp"
#include "proxy/http/handshakes.hpp"
#include "proxy/http/request.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/io/task.hpp"
#include "proxy/telemetry/tls_metrics.hpp"

namespace onceproxy::http {

class ClientConnection {
 public:
  /// Shared by the worker's connections; all members must outlive them.
  struct Parts {
    io::EventLoop& loop;
    /// Read whenever an option is needed; a reload may replace it at any time.
    const std::shared_ptr<const Setup>& setup;
    Dispatcher& dispatcher;
    Handshakes& handshakes;
    telemetry::WorkerMetrics& metrics;
    telemetry::TlsMetrics& tls_metrics;
  };
  /// `parts` must outlive the connection. `address`: the client's, without its port. `slot`: a slot
  /// of the limit of clients. `tls`: for the handshake before the first request; nullptr: there is
  /// none.
  ClientConnection(const Parts& parts, io::Socket socket, std::string address,
                   io::Slots::Taken slot, std::shared_ptr<const tls::ServerContext> tls);

  /// Serves the connection until it ends.
  Task<void> serve();

  /// Ends now if no request is under way, otherwise after the current answer.
  void drain();
  /// Closes the socket at once; pending waits end with an error.
  void close() { client_.close(); }

  /// The client's port, for the access log.
  void came_from(std::uint16_t port) { client_.came_from(port); }

  /// The index in the worker's list of connections.
  std::size_t index = 0;

 private:
  enum class Next { request, end };
  /// The current options; read them again after a co_await.
  const ClientLimits& limits() const { return parts_.setup->options.limits; }
  Task<Next> read_head();
  Task<bool> shake_hands();
  void count_handshake(io::IoError error, bool crowded);
  std::optional<BadHead> parse();
  Task<void> linger();
  /// Returns true if there were bytes.
  bool skip_empty_lines();

  const Parts& parts_;
  /// Returned when the socket is closed.
  const io::Slots::Taken slot_;
  Client client_;
  RequestMemory memory_;
  std::shared_ptr<const tls::ServerContext> tls_context_;
  std::chrono::steady_clock::time_point began_{};
  /// The end of the head in the buffer; not meaningful with `bad_head_`.
  std::size_t head_end_ = 0;
  /// Whether the head was incomplete.
  std::optional<BadHead> bad_head_;
  /// Waits for the first byte of a request, so the connection may be closed without loss.
  bool idle_ = false;
  bool served_any_ = false;
};

}  // namespace onceproxy::http
