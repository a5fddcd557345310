// The ports that the program is to listen on, and the service that it forwards to. Binds each port
// for a moment, and makes one connection to each of the upstream's addresses; with TLS it sends
// `OPTIONS *` too, to see that the certificate is taken.
#pragma once

#include <optional>
#include <vector>

#include "config/settings.hpp"
#include "proxy/cli/doctor/findings.hpp"
#include "proxy/tls/options.hpp"

namespace onceproxy::doctor {

/// `runs`: a running onceproxy has the store, and will have the ports.
std::vector<Finding> check_ports(const config::Settings& settings, bool runs);

/// Waits for each address as long as upstream.connect_timeout, and for five seconds at most. `tls`:
/// nothing, plain HTTP.
std::vector<Finding> check_upstream(const config::Settings& settings,
                                    const std::optional<tls::ClientOptions>& tls);

}  // namespace onceproxy::doctor
