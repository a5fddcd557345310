// Port: what serves HTTP/2 on one loop: its listeners and connections. It does not know what
// requests mean (handler.hpp), nor on which thread its loop runs.
//
// Not thread-safe: its loop's thread, or before the loop runs.
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
    /// For the log and the metrics.
    std::string name;
    Limits limits;
    telemetry::TlsPort tls_port = telemetry::TlsPort::envoy;
  };

  /// `slots` bounds the connections of all loops together. All must outlive the port.
  Port(io::EventLoop& loop, Handler& handler, io::Slots& slots, telemetry::Http2Metrics& metrics,
       telemetry::TlsMetrics& tls_metrics, Options options);
  /// The loop runs no more, and no handler does: idle().
  ~Port();

  /// Takes connections from a socket that listens, on this loop, once start() is called. `tls`: of
  /// contexts that speak h2; nullptr: no TLS, and clients know that HTTP/2 is spoken.
  void listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls);
  void start();

  /// Stops accepting, and tells clients that no further requests are taken.
  void drain();
  /// Ends all connections at once; handlers see that their exchanges are gone.
  void close();
  /// Neither connections nor handlers are left. While draining, that stays.
  bool idle() const { return connections_.empty() && parts_.handlers == 0; }

 private:
  void accepted(io::Socket socket, std::string client, std::uint16_t port,
                const tls::ServerPort* tls) override;
  void not_accepted(const io::ErrorCode& error) override;
  io::Task<void> serve(Connection& connection);
  void forget(Connection& connection);

  io::EventLoop& loop_;
  io::Slots& slots_;
  const Options options_;
  Connection::Parts parts_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  bool draining_ = false;
};

}  // namespace onceproxy::http2
