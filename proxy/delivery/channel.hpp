// Channel: the address of one listener, the connections to it, and their limits. The channel to the
// upstream uses the address and the limits of forwarded requests, so that max_concurrency applies
// to both together. Not thread-safe: used on one event loop. UpstreamAddress and Slots are shared
// between threads.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "policies/delivery.hpp"
#include "proxy/http/server.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"

namespace onceproxy::delivery {

/// The setup for a listener that is not the upstream.
std::shared_ptr<const http::Setup> setup_of(const policies::Listener& listener);

class Channel {
 public:
  struct Parts {
    io::EventLoop& loop;
    store::Loop& home;
    telemetry::WorkerMetrics& metrics;
    telemetry::TlsMetrics& tls_metrics;
  };

  /// For a listener with its own address.
  Channel(const Parts& parts, std::shared_ptr<http::UpstreamAddress> address,
          const policies::Listener& listener);
  /// For the upstream.
  Channel(const Parts& parts, const http::UpstreamShare& share,
          std::shared_ptr<const http::Setup> setup, const policies::Listener& listener);

  /// Uses another configuration from now on. `setup`: of the upstream; nullptr: it is made from
  /// `listener`.
  void follow(const policies::Listener& listener, std::shared_ptr<const http::Setup> setup);

  /// Whether the channel has this address; nullptr stands for the upstream.
  bool leads_to(const std::shared_ptr<http::UpstreamAddress>& address) const {
    return own_address_ == address;
  }

  http::UpstreamPool& pool() { return pool_; }
  const http::UpstreamPool& pool() const { return pool_; }
  /// The connections of this channel that no other limit counts.
  std::size_t connections() const { return own_connections_.used(); }
  const std::shared_ptr<const http::Setup>& setup() const { return setup_; }
  /// The value of the Host field.
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
