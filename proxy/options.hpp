// Converts the settings of the configuration to the options of each part of the program. Pure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "proxy/admin/server.hpp"
#include "proxy/app.hpp"
#include "proxy/certificates.hpp"
#include "proxy/http/options.hpp"
#include "proxy/telemetry/json.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "store/postgres/options.hpp"
#include "store/rocksdb/options.hpp"

namespace onceproxy {

/// `tls`: to the upstream, or nullptr. `identifies_clients`: whether the bound listeners identify
/// clients, which a reload does not change.
http::Options http_options(const config::Settings& settings,
                           std::shared_ptr<const tls::ClientPort> tls, bool identifies_clients);
std::vector<http::ListenOptions> data_listeners(const config::Settings& settings,
                                                const Certificates& certificates);
/// Makes the replacement of a redacted value: a digest of it and of a random key that is never
/// written, so that values cannot be guessed.
std::function<std::string(std::string_view)> make_disguise();
/// Nothing if tracing is off.
std::optional<telemetry::TracerOptions> tracer_options(const config::Settings& settings);
/// Without the options of the command line.
store::RocksDbOptions store_options(const config::Settings& settings);
/// Only if settings.postgres is present.
store::PostgresOptions postgres_options(const config::Settings& settings);

/// The options with which the program started, with the names of Envoy's CommandLineOptions.
telemetry::JsonObject command_line_options(const RunOptions& options,
                                           const config::Settings& settings, std::size_t workers);

}  // namespace onceproxy
