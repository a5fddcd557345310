// Channel: how one listener is reached: its address, its connections and their limits. The upstream
// is reached by the address and the limits that requests of clients share, so that its
// max_concurrency holds for both together.
// Not thread-safe: one event loop. UpstreamAddress and Slots are shared.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "policies/delivery.hpp"
#include "proxy/http/server.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"

namespace onceproxy::delivery {

http::Endpoint endpoint_of(const policies::ListenerAddress& address);

/// Of the listener alone.
std::shared_ptr<const http::Setup> setup_of(const policies::Listener& listener);

class Channel {
 public:
  struct Parts {
    io::EventLoop& loop;
    store::Loop& home;
    telemetry::WorkerMetrics& metrics;
    telemetry::TlsMetrics& tls_metrics;
  };

  /// A listener's own.
  Channel(const Parts& parts, std::shared_ptr<http::UpstreamAddress> address,
          const policies::Listener& listener);
  /// The upstream's.
  Channel(const Parts& parts, const http::UpstreamShare& share,
          std::shared_ptr<const http::Setup> setup, const policies::Listener& listener);

  /// Another configuration from now on. `setup`: the upstream's; nullptr: made of `listener`.
  void follow(const policies::Listener& listener, std::shared_ptr<const http::Setup> setup);

  /// Whether it leads there; null: to the upstream.
  bool leads_to(const std::shared_ptr<http::UpstreamAddress>& address) const {
    return own_address_ == address;
  }

  http::UpstreamPool& pool() { return pool_; }
  const http::UpstreamPool& pool() const { return pool_; }
  /// Connections that nobody else counts.
  std::size_t connections() const { return own_connections_.used(); }
  const std::shared_ptr<const http::Setup>& setup() const { return setup_; }
  /// What Host says.
  const std::string& authority() const { return setup_->upstream_name; }

 private:
  const std::shared_ptr<http::UpstreamAddress> own_address_;
  io::Slots own_connections_;
  io::Slots own_turns_{0};
  std::atomic<std::size_t> own_waiting_bytes_ = 0;
  std::shared_ptr<const http::Setup> setup_;
  http::UpstreamPool pool_;
};

}  // namespace onceproxy::delivery
