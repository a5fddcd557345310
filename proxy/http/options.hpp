// Options of the data path: limits and timeouts as the configuration gives them. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "policies/cors.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http {

using std::chrono::milliseconds;

/// host:port (an address, IPv6 without brackets, or a name) or a unix socket's path.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string unix_path;

  std::string text() const;
  bool operator==(const Endpoint&) const = default;
};

/// Where the data port listens, and what connections there begin with.
struct ListenOptions {
  Endpoint endpoint;
  /// nullptr: no TLS.
  std::shared_ptr<const tls::ServerPort> tls = nullptr;
};

struct UpstreamOptions {
  Endpoint endpoint;
  /// Also bounds the wait for a free connection or a turn.
  milliseconds connect_timeout{1'000};
  /// From the request's last byte to the last byte of the answer's head.
  milliseconds response_timeout{30'000};
  /// Between two reads of an answer's body.
  milliseconds idle_timeout{60'000};
  /// How long a connection is kept unused; 0: none is kept.
  milliseconds keepalive_timeout{60'000};
  /// How long a turn is kept for a request that nobody waits for any more.
  milliseconds abandoned_timeout{600'000};
  std::size_t connections_max = 1024;
  /// Requests under way at once; 0: no limit.
  std::size_t concurrency_max = 0;
  std::size_t head_bytes_max = 64 * 1024;
  /// HeadLimits::lenient for its answers.
  bool lenient_http = false;
  /// X-Forwarded-For, -Proto and X-Request-Id go on with covered requests alone.
  bool forwards_covered_only = false;
  /// What connections to it begin with; nullptr: no TLS.
  std::shared_ptr<const tls::ClientPort> tls;
};

struct LimitOptions {
  std::size_t connections = 10'000;
  std::size_t head_bytes = 16 * 1024;
  std::size_t headers = 100;
  std::size_t body_bytes = 1024 * 1024;
  /// Of bodies still arriving, of all workers. The same for answers being kept, and for requests
  /// that wait for the upstream.
  std::size_t buffered_bytes = 32 * 1024 * 1024;
  milliseconds head_timeout{10'000};
  milliseconds body_timeout{30'000};
  milliseconds idle_timeout{75'000};
  bool pass_encoded_slashes = false;
};

struct Options {
  UpstreamOptions upstream;
  LimitOptions limits;
  /// Some listener asks clients for certificates: the upstream believes what it is sent about them.
  bool identifies_clients = false;
  /// For answers made here; absent: none. A policy's own rules stand in for it.
  std::optional<policies::Cors> cors = std::nullopt;
};

}  // namespace onceproxy::http
