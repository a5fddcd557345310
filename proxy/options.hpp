// From the settings of the configuration to the options of each part of the program. Pure.
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

/// `tls`: towards the upstream, or nullptr. `identifies_clients`: as the listeners that are bound
/// do, whatever the settings say by now.
http::Options http_options(const config::Settings& settings,
                           std::shared_ptr<const tls::ClientPort> tls, bool identifies_clients);
std::vector<http::ListenOptions> data_listeners(const config::Settings& settings,
                                                const Certificates& certificates);
http::Endpoint endpoint(const config::Address& address);
admin::Endpoint admin_endpoint(const config::Address& address);
/// What stands in for a redacted value: a digest of it and of a key that is made here and written
/// nowhere, so that nobody can try values out.
std::function<std::string(std::string_view)> make_disguise();
/// Nothing: nothing is traced.
std::optional<telemetry::TracerOptions> tracer_options(const config::Settings& settings);
/// Without what the command line adds.
store::RocksDbOptions store_options(const config::Settings& settings);
/// Where settings.postgres is present.
store::PostgresOptions postgres_options(const config::Settings& settings);

/// What the program began with, in the names of Envoy's CommandLineOptions.
telemetry::JsonObject command_line_options(const RunOptions& options,
                                           const config::Settings& settings, std::size_t workers);

}  // namespace onceproxy
