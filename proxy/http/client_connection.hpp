// ClientConnection: one client, request after request. It makes the TLS handshake, reads and
// validates heads, hands each request to the dispatcher, and decides whether the connection goes
// on.
//
// A request's bytes are read only when the one before it was answered: a pipelining client waits
// its turn and costs one buffer.
// Not thread-safe: its worker's loop.
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
  /// What the worker's connections share; all must outlive them.
  struct Parts {
    io::EventLoop& loop;
    /// Looked at whenever an option is needed, and may be another one each time.
    const std::shared_ptr<const Setup>& setup;
    Dispatcher& dispatcher;
    Handshakes& handshakes;
    telemetry::WorkerMetrics& metrics;
    telemetry::TlsMetrics& tls_metrics;
  };
  /// `parts` must stay. `address`: the peer's, without its port. `slot`: of the limit of clients.
  /// `tls`: what a handshake is made with before the first request; nullptr: none is.
  ClientConnection(const Parts& parts, io::Socket socket, std::string address,
                   io::Slots::Taken slot, std::shared_ptr<const tls::ServerContext> tls);

  /// Serves until the connection ends.
  Task<void> serve();

  /// Ends now if nothing is under way; else after the answer under way.
  void drain();
  /// The socket is gone at once, and what is awaited ends as broken.
  void close() { client_.close(); }

  /// The peer's port, for the access log.
  void came_from(std::uint16_t port) { client_.came_from(port); }

  /// Place in the worker's list of connections.
  std::size_t index = 0;

 private:
  enum class Next { request, end };
  /// As they are now; to be read again after a co_await.
  const ClientLimits& limits() const { return parts_.setup->options.limits; }
  Task<Next> read_head();
  Task<bool> shake_hands();
  void count_handshake(io::IoError error, bool crowded);
  std::optional<BadHead> parse();
  Task<void> linger();
  /// True: there were some.
  bool skip_empty_lines();

  const Parts& parts_;
  /// Released when the socket is closed.
  const io::Slots::Taken slot_;
  Client client_;
  RequestMemory memory_;
  std::shared_ptr<const tls::ServerContext> tls_context_;
  std::chrono::steady_clock::time_point began_{};
  /// Where the head in the buffer ends; meaningless with `bad_head_`.
  std::size_t head_end_ = 0;
  /// A head that did not come whole.
  std::optional<BadHead> bad_head_;
  /// Waiting for the first byte of a request: may be closed without losing anything.
  bool idle_ = false;
  bool served_any_ = false;
};

}  // namespace onceproxy::http
