// Options of the data path: where it listens, where it forwards to, and its limits. Plain values.
#pragma once

#include <memory>
#include <optional>

#include "policies/cors.hpp"
#include "proxy/http/limits.hpp"
#include "proxy/io/endpoint.hpp"
#include "proxy/telemetry/access_format.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http {

using std::chrono::milliseconds;

using io::Endpoint;

/// A listener of the data port, and TLS on it.
struct ListenOptions {
  Endpoint endpoint;
  /// nullptr: no TLS.
  std::shared_ptr<const tls::ServerPort> tls = nullptr;
};

struct UpstreamOptions : UpstreamLimits {
  Endpoint endpoint;
  /// TLS for connections to it; nullptr: no TLS.
  std::shared_ptr<const tls::ClientPort> tls;
  /// What its handshakes are counted as.
  telemetry::TlsPort tls_port = telemetry::TlsPort::upstream;
};

struct Options {
  UpstreamOptions upstream;
  ClientLimits limits;
  /// Whether a listener requests client certificates: the upstream then trusts the field about
  /// them.
  bool identifies_clients = false;
  /// For answers that onceproxy makes; absent: none. A policy's own rules replace it.
  std::optional<policies::Cors> cors = std::nullopt;
  /// The format of the access log; nullptr: as log.format says.
  std::shared_ptr<const telemetry::AccessFormat> access_format = nullptr;
};

}  // namespace onceproxy::http
