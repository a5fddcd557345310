// The TLS files that a configuration names: where, and what each side of TLS is to be made from.
// Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/settings.hpp"
#include "policies/delivery.hpp"
#include "proxy/tls/options.hpp"

namespace onceproxy::cli {

/// "listen[1].tls", or "listen.tls" if there is one address.
std::string tls_place(const config::Settings& settings, std::size_t listener);

struct TlsFindings {
  std::vector<config::Problem> problems;
  /// What may be meant: whole lines.
  std::vector<std::string> notes;
};

/// Reads every TLS file that the configuration names and tells what is wrong with it.
TlsFindings check_tls_files(const config::Settings& settings, const std::string& config_file);
/// The same of a list of listeners, which stands at `place` in `file`.
TlsFindings check_listener_tls(const policies::ListenerList& listeners, const std::string& place,
                               const std::string& file);

/// What a listener's connections are to be made from.
tls::ClientOptions client_options(const policies::ListenerTls& tls);

}  // namespace onceproxy::cli
