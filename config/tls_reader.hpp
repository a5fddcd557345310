// Where ports listen, and TLS on them and towards the upstream. Which files there are is read here;
// what is in them is for proxy/tls. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// An address, or a map of an address and its TLS.
Kind<ListenSettings> listen_address();

Kind<tls::ClientOptions> upstream_tls();

/// Fills in the name that the upstream's certificate is for, from its address.
void complete_upstream_tls(const Node& upstream, UpstreamSettings& settings);

/// Policies may ask what a client's certificate says only where a listener asks for one: else it
/// would always be missing. `document` is the whole of it.
void check_certificate_selectors(const Node& document);

/// A file's path.
Kind<std::string> file_path();

}  // namespace onceproxy::config
