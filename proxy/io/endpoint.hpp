// Endpoint: an address to listen on or to connect to, as it is written in a configuration. A plain
// value; nothing is resolved here. It is a library of its own (`io_types`), so that `policies`,
// `config` and `proxy/admin` have the same type and do not depend on `io`.
#pragma once

#include <cstdint>
#include <string>

namespace onceproxy::io {

/// host:port or unix:/path.
struct Endpoint {
  /// An IPv4 address, an IPv6 address without brackets, or a name. Empty for a unix socket.
  std::string host;
  std::uint16_t port = 0;
  /// Empty for TCP.
  std::string unix_path;

  /// As the configuration writes it.
  std::string text() const {
    if (!unix_path.empty()) return "unix:" + unix_path;
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  bool operator==(const Endpoint&) const = default;
};

}  // namespace onceproxy::io
