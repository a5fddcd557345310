// Service: the gRPC port for Envoy on one worker's loop; each stream is a Call (call.hpp). Not
// thread-safe: used on its worker's loop. Shared is used by all workers.
#pragma once

#include <cstddef>
#include <memory>

#include "proxy/ext_proc/answers_kept.hpp"
#include "proxy/ext_proc/arenas.hpp"
#include "proxy/ext_proc/arriving_messages.hpp"
#include "proxy/ext_proc/call.hpp"
#include "proxy/grpc/server.hpp"
#include "proxy/grpc/services.hpp"
#include "proxy/http/side_port.hpp"
#include "proxy/http2/port.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::ext_proc {

class Service final : public http::SidePort {
 public:
  /// Shared by all workers, and must outlive them.
  struct Shared {
    /// The metrics must outlive it. `tls`: the contexts for connections; nullptr: no TLS.
    Shared(telemetry::Metrics& all_metrics, std::shared_ptr<const tls::ServerPort> with_tls)
        : metrics(all_metrics), tls(std::move(with_tls)) {}

    /// The values that a reload may change.
    void configure(const http::Options& options, const gate::Rules& rules);

    telemetry::Metrics& metrics;
    const std::shared_ptr<const tls::ServerPort> tls;
    /// Each connection carries many requests.
    io::Slots connections{1'000};
    AnswersKept answers;
  };

  Service(Shared& shared, const http::SidePortParts& parts);
  /// The largest message that the port accepts. A reload does not change it.
  static std::size_t message_bytes_max(const http::Options& options);

  void listen(io::Acceptor acceptor) override { port_.listen(std::move(acceptor), shared_.tls); }
  void start() override { port_.start(); }
  void drain() override { port_.drain(); }
  void close() override { port_.close(); }
  bool idle() const override { return port_.idle(); }

 private:
  io::Task<void> process(grpc::ServerStream& stream);

  Shared& shared_;
  const std::shared_ptr<const http::Setup>& setup_;
  Arenas arenas_;
  ArrivingMessages arriving_;
  const Call::Parts parts_;
  grpc::Services services_;
  grpc::Server server_;
  http2::Port port_;
};

}  // namespace onceproxy::ext_proc
