#include "proxy/ext_proc/service.hpp"

#include <algorithm>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/telemetry/http2_metrics.hpp"

namespace onceproxy::ext_proc {

namespace {

constexpr const char* port_name = "envoy";

/// The size of a message besides the body: a head and attributes.
constexpr std::size_t beside_body_bytes = std::size_t{1} << 20;
constexpr std::size_t message_bytes_min = std::size_t{4} << 20;

/// Envoy resets a stream for each client that disconnects, so clients can cause resets as fast as
/// they can send requests. Closing the connection would abort all other requests on it. Therefore
/// it is only read more slowly.
///
/// A request that waits for another one, or for its turn, does so to the end even if its client has
/// left. If these counted as streams, clients that leave would block the connection for all others.
http2::Limits port_limits() {
  http2::Limits limits;
  limits.resets = {10'000, 2'000};
  limits.pace_resets = true;
  limits.handlers = 10 * limits.streams;
  return limits;
}

}  // namespace

void Service::Shared::configure(const http::Options& options, const gate::Rules& rules) {
  std::size_t largest = options.limits.buffered_bytes;
  for (const policies::Policy& policy : rules.policies().policies()) {
    largest = std::max(largest, policy.replay.body_bytes_max);
  }
  answers.set_limit(largest);
}

Service::Service(Shared& shared, const http::SidePortParts& parts)
    : shared_(shared),
      setup_(parts.setup),
      arriving_(parts.bodies, parts.setup),
      parts_{parts.gate,        parts.home,     parts.date, parts.reports,  parts.metrics,
             parts.near_misses, shared.answers, arenas_,    &parts.upstream},
      server_(services_, {port_name, message_bytes_max(setup_->options), &arriving_},
              shared.metrics.http2().add(port_name)),
      port_(parts.loop, server_, shared.connections, shared.metrics.http2(), shared.metrics.tls(),
            {port_name, port_limits(), telemetry::TlsPort::envoy}) {
  services_.add(process_path, [this](grpc::ServerStream& stream) { return process(stream); });
}

std::size_t Service::message_bytes_max(const http::Options& options) {
  return std::max(message_bytes_min, options.limits.body_bytes + beside_body_bytes);
}

io::Task<void> Service::process(grpc::ServerStream& stream) {
  Call call(parts_, setup_, stream);
  co_await call.run();
}

}  // namespace onceproxy::ext_proc
