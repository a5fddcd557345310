// Options of the data path: where it listens, where it forwards to, and its limits. Plain values.
#pragma once

#include <memory>
#include <optional>

#include "policies/cors.hpp"
#include "proxy/http/limits.hpp"
#include "proxy/io/endpoint.hpp"
#include "proxy/telemetry/access_format.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http {

using std::chrono::milliseconds;

using io::Endpoint;

/// Where the data port listens, and what connections there begin with.
struct ListenOptions {
  Endpoint endpoint;
  /// nullptr: no TLS.
  std::shared_ptr<const tls::ServerPort> tls = nullptr;
};

struct UpstreamOptions : UpstreamLimits {
  Endpoint endpoint;
  /// What connections to it begin with; nullptr: no TLS.
  std::shared_ptr<const tls::ClientPort> tls;
};

struct Options {
  UpstreamOptions upstream;
  ClientLimits limits;
  /// Some listener asks clients for certificates: the upstream believes what it is sent about them.
  bool identifies_clients = false;
  /// For answers made here; absent: none. A policy's own rules stand in for it.
  std::optional<policies::Cors> cors = std::nullopt;
  /// How a request is written to the access log; nullptr: as log.format says.
  std::shared_ptr<const telemetry::AccessFormat> access_format = nullptr;
};

}  // namespace onceproxy::http
