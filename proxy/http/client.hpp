// Client: one client's connection as the steps of a request use it: the stream, the identity of the
// client, and whether the connection ends soon. client_connection.hpp reads requests from it. Not
// thread-safe: used on its worker's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "policies/request_view.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/tls/peer.hpp"

namespace onceproxy::http {

class Client final : public io::Stream {
 public:
  /// `address`: the client's, without its port. `stall`: as in io::Stream. The loop and the metrics
  /// must outlive it.
  Client(io::EventLoop& loop, io::Socket socket, std::string address,
         std::chrono::milliseconds stall, telemetry::WorkerMetrics& metrics);
  ~Client() override;

  const std::string& address() const { return address_; }
  /// The client's port; 0 until it is set.
  std::uint16_t port() const { return port_; }
  void came_from(std::uint16_t port) { port_ = port; }
  bool secure() const { return tls() != nullptr; }

  /// Sets the client's certificate; nullptr if it presented none. Called once, after the handshake.
  void identify(std::unique_ptr<const tls::Peer> peer);
  /// The certificate for policies; nullptr if the client presented none.
  const policies::ClientCertificate* certificate() const { return peer_ ? &certificate_ : nullptr; }
  /// The certificate for the upstream; empty if the client presented none.
  std::string_view forwarded_certificate() const {
    return peer_ ? std::string_view(peer_->forwarded) : std::string_view();
  }

  /// No request is read after the current one.
  void end_soon() { ends_soon_ = true; }
  bool ends_soon() const { return ends_soon_; }

  /// Memory for output; valid until the write has ended.
  std::string out;

 private:
  void awaited_twice(std::string_view operation) override;

  telemetry::WorkerMetrics& metrics_;
  const std::string address_;
  std::unique_ptr<const tls::Peer> peer_;
  /// Views into `peer_`.
  policies::ClientCertificate certificate_;
  bool ends_soon_ = false;
  std::uint16_t port_ = 0;
};

}  // namespace onceproxy::http
