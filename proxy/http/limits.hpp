// What an operator sets of the data path: limits and timeouts, with their defaults. The reader of
// the configuration fills these very structs in, so that no default stands twice. Plain values.
#pragma once

#include <chrono>
#include <cstddef>

namespace onceproxy::http {

/// Towards the upstream.
struct UpstreamLimits {
  /// Also bounds the wait for a free connection or a turn.
  std::chrono::milliseconds connect_timeout{1'000};
  /// From the request's last byte to the last byte of the answer's head.
  std::chrono::milliseconds response_timeout{30'000};
  /// Between two reads of an answer's body.
  std::chrono::milliseconds idle_timeout{60'000};
  /// How long a connection is kept unused; 0: none is used twice.
  std::chrono::milliseconds keepalive_timeout{60'000};
  /// How long a turn is kept for a request that nobody waits for any more.
  std::chrono::milliseconds abandoned_timeout{600'000};
  std::size_t connections_max = 1024;
  /// Requests under way at once; 0: no limit.
  std::size_t concurrency_max = 0;
  std::size_t head_bytes_max = 64 * 1024;
  /// HeadLimits::lenient for its answers: what old services send beyond the standard is taken,
  /// where it can mean one thing only.
  bool lenient_http = false;
  /// X-Forwarded-For, -Proto and X-Request-Id go on with covered requests alone.
  bool forwards_covered_only = false;
};

/// Towards clients.
struct ClientLimits {
  std::size_t connections = 10'000;
  std::size_t head_bytes = 16 * 1024;
  std::size_t headers = 100;
  std::size_t body_bytes = 1024 * 1024;
  /// Of bodies still arriving, of all workers. The same for answers being kept, and for requests
  /// that wait for the upstream.
  std::size_t buffered_bytes = 32 * 1024 * 1024;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
  bool pass_encoded_slashes = false;
};

}  // namespace onceproxy::http
