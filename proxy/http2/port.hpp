// Port: the HTTP/2 server of one event loop: its listeners and connections. It does not interpret
// requests (see handler.hpp), and does not know on which thread its loop runs.
//
// Not thread-safe: used on its loop's thread, or before the loop runs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "proxy/http2/connection.hpp"
#include "proxy/http2/handler.hpp"
#include "proxy/http2/limits.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/listener.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/telemetry/http2_metrics.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http2 {

class Port final : private io::Listener::Owner {
 public:
  struct Options {
    /// The name for the log and the metrics.
    std::string name;
    Limits limits;
    telemetry::TlsPort tls_port = telemetry::TlsPort::envoy;
  };

  /// `slots` limits the connections of all loops together. All arguments must outlive the port.
  Port(io::EventLoop& loop, Handler& handler, io::Slots& slots, telemetry::Http2Metrics& metrics,
       telemetry::TlsMetrics& tls_metrics, Options options);
  /// The loop must no longer run, and no handler either: see idle().
  ~Port();

  /// Accepts connections from a listening socket on this loop, once start() is called. `tls`:
  /// creates contexts that support h2; nullptr: no TLS, and clients must begin with HTTP/2.
  void listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls);
  void start();

  /// Stops accepting connections, and tells clients that no more requests are accepted.
  void drain();
  /// Closes all connections at once; the handlers' exchanges become gone.
  void close();
  /// Whether there are no connections and no handlers. While draining, this does not change any
  /// more.
  bool idle() const { return connections_.empty() && parts_.handlers == 0; }

 private:
  void accepted(io::Socket socket, std::string client, std::uint16_t port,
                const tls::ServerPort* tls) override;
  void not_accepted(const io::ErrorCode& error) override;
  io::Task<void> serve(Connection& connection);
  void forget(Connection& connection);
  void make_room();

  io::EventLoop& loop_;
  io::Slots& slots_;
  const Options options_;
  Connection::Parts parts_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  bool draining_ = false;
};

}  // namespace onceproxy::http2
