// Server: answers the gRPC calls of a port. A request that is not a gRPC call gets an HTTP error, a
// call of an unknown method gets a gRPC status, and all other calls are passed to their handlers.
// Not thread-safe: used on one event loop.
#pragma once

#include <cstddef>
#include <string>

#include "proxy/grpc/arrivals.hpp"
#include "proxy/grpc/services.hpp"
#include "proxy/http2/handler.hpp"
#include "proxy/telemetry/http2_metrics.hpp"

namespace onceproxy::grpc {

class Server final : public http2::Handler {
 public:
  struct Options {
    /// The port's name, for the log.
    std::string listener;
    /// Larger messages of clients are refused.
    std::size_t message_bytes_max = 4 * 1024 * 1024;
    /// Limits messages that are still arriving; nullptr: nothing does.
    Arrivals* arrivals = nullptr;
  };

  /// `services`, `counters` and the options' `arrivals` must outlive the server.
  Server(const Services& services, Options options, telemetry::Http2Counters& counters);

  io::Task<void> serve(http2::Exchange& exchange) override;

 private:
  const Services& services_;
  const Options options_;
  telemetry::Http2Counters& counters_;
};

}  // namespace onceproxy::grpc
