#include "proxy/delivery/channel.hpp"

#include <utility>

namespace onceproxy::delivery {

std::shared_ptr<const http::Setup> setup_of(const policies::Listener& listener) {
  http::Options options;
  http::UpstreamOptions& upstream = options.upstream;
  upstream.endpoint = listener.address;
  upstream.tls_port = telemetry::TlsPort::delivery;
  // The timeout of the whole attempt limits all of its parts.
  upstream.connect_timeout = listener.timeout;
  upstream.response_timeout = listener.timeout;
  upstream.idle_timeout = listener.timeout;
  upstream.connections_max = listener.concurrency_max;
  std::string name =
      upstream.endpoint.unix_path.empty() ? upstream.endpoint.text() : std::string("localhost");
  return std::make_shared<const http::Setup>(
      http::Setup{std::move(options), nullptr, std::move(name), http::GuardedFields({})});
}

Channel::Channel(const Parts& parts, std::shared_ptr<http::UpstreamAddress> address,
                 const policies::Listener& listener)
    : own_address_(std::move(address)),
      own_connections_(listener.concurrency_max),
      setup_(setup_of(listener)),
      pool_(parts.loop, parts.home, setup_, *own_address_, own_connections_, own_turns_,
            own_waiting_bytes_, parts.metrics, parts.tls_metrics) {}

Channel::Channel(const Parts& parts, const http::UpstreamShare& share,
                 std::shared_ptr<const http::Setup> setup, const policies::Listener& listener)
    : own_connections_(listener.concurrency_max),
      setup_(std::move(setup)),
      pool_(parts.loop, parts.home, setup_, share.address, share.connections, share.turns,
            share.waiting_bytes, parts.metrics, parts.tls_metrics) {}

void Channel::follow(const policies::Listener& listener, std::shared_ptr<const http::Setup> setup) {
  own_connections_.set_limit(listener.concurrency_max);
  setup_ = setup ? std::move(setup) : setup_of(listener);
  pool_.trim();
}

}  // namespace onceproxy::delivery
