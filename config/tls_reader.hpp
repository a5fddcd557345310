// The addresses of ports, and TLS on them and to the upstream. Only the names of files are read
// here; proxy/tls reads their contents. Pure; thread-safe.
#pragma once

#include <string>

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// An address, or a map of an address and its TLS.
Kind<ListenSettings> listen_address();

/// TLS towards a peer, and what the descriptions call it.
struct PeerWords {
  std::string place;
  std::string name;
  /// Where server_name comes from by default.
  std::string host;
};
Kind<tls::ClientOptions> client_tls(const PeerWords& peer);
Kind<tls::ClientOptions> upstream_tls();

/// Sets the name in the upstream's certificate from its address, if it is not given.
void complete_upstream_tls(const Node& upstream, UpstreamSettings& settings);

/// Reports policies that read a client's certificate if no listener requests one, because the field
/// would always be missing. `document`: the whole document.
void check_certificate_selectors(const Node& document);

/// A file's path.
Kind<std::string> file_path();

}  // namespace onceproxy::config
