// The limits and timeouts of the data path that an operator can set, with their defaults. The
// configuration reader fills in these structs, so that each default exists only once. Plain values.
#pragma once

#include <chrono>
#include <cstddef>

namespace onceproxy::http {

/// For the upstream.
struct UpstreamLimits {
  /// Also limits the wait for a free connection or a turn.
  std::chrono::milliseconds connect_timeout{1'000};
  /// From the request's last byte to the last byte of the answer's head.
  std::chrono::milliseconds response_timeout{30'000};
  /// Between two reads of an answer's body.
  std::chrono::milliseconds idle_timeout{60'000};
  /// How long an unused connection is kept; 0: no connection is used twice.
  std::chrono::milliseconds keepalive_timeout{60'000};
  /// How long a turn is kept for an abandoned request.
  std::chrono::milliseconds abandoned_timeout{600'000};
  std::size_t connections_max = 1024;
  /// Requests under way at once; 0: no limit.
  std::size_t concurrency_max = 0;
  std::size_t head_bytes_max = 64 * 1024;
  /// HeadLimits::lenient for its answers: what old services send beyond the standard is accepted if
  /// it has only one meaning.
  bool lenient_http = false;
  /// X-Forwarded-For, X-Forwarded-Proto and X-Request-Id are added only to covered requests.
  bool forwards_covered_only = false;
};

/// For clients.
struct ClientLimits {
  std::size_t connections = 10'000;
  std::size_t head_bytes = 16 * 1024;
  std::size_t headers = 100;
  std::size_t body_bytes = 1024 * 1024;
  /// For arriving bodies of all workers. The same limit holds for captured answers, and for
  /// requests that wait for the upstream.
  std::size_t buffered_bytes = 32 * 1024 * 1024;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
  bool pass_encoded_slashes = false;
};

}  // namespace onceproxy::http
