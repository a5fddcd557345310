// Endpoint: an address to listen on or to connect to, as it is written in a configuration. A plain
// value; nothing is resolved here.
#pragma once

#include <cstdint>
#include <string>

namespace onceproxy::io {

/// host:port (an address, IPv6 without brackets, or a name) or a unix socket's path.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string unix_path;

  std::string text() const;
  bool operator==(const Endpoint&) const = default;
};

}  // namespace onceproxy::io
