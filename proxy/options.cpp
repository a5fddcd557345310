#include "proxy/options.hpp"

#include <array>
#include <utility>

#include "policies/digest.hpp"
#include "proxy/admin/admin_endpoints.hpp"
#include "store/fingerprint.hpp"
#include "store/hex.hpp"
#include "store/random.hpp"

namespace onceproxy {

namespace {

std::string_view level_name(telemetry::LogLevel level) {
  switch (level) {
    case telemetry::LogLevel::trace:
      return "trace";
    case telemetry::LogLevel::debug:
      return "debug";
    case telemetry::LogLevel::info:
      return "info";
    case telemetry::LogLevel::warn:
      return "warning";
    case telemetry::LogLevel::error:
      break;
  }
  return "error";
}

}  // namespace

http::Options http_options(const config::Settings& settings,
                           std::shared_ptr<const tls::ClientPort> tls, bool identifies_clients) {
  http::Options options;
  options.upstream.tls = std::move(tls);
  options.identifies_clients = identifies_clients;
  static_cast<http::UpstreamLimits&>(options.upstream) = settings.upstream;
  options.upstream.endpoint = settings.upstream.address;
  options.cors = settings.cors;
  options.limits = settings.limits;
  options.access_format = settings.log.access_format;
  return options;
}

std::vector<http::ListenOptions> data_listeners(const config::Settings& settings,
                                                const Certificates& certificates) {
  std::vector<http::ListenOptions> all;
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    all.push_back({settings.listen[i], certificates.data(i)});
  }
  return all;
}

std::function<std::string(std::string_view)> make_disguise() {
  std::array<std::uint8_t, 32> bytes;
  store::fill_random(bytes);
  const std::string key(bytes.begin(), bytes.end());
  return [key](std::string_view value) {
    constexpr std::size_t bytes_shown = 8;
    const store::PayloadDigest digest{policies::sha256(key + std::string(value))};
    return "redacted-" + store::hex(digest.view().substr(0, bytes_shown));
  };
}

std::optional<telemetry::TracerOptions> tracer_options(const config::Settings& settings) {
  if (!settings.tracing) return std::nullopt;
  telemetry::TracerOptions options;
  static_cast<telemetry::TracingOptions&>(options) = *settings.tracing;
  options.version = ONCEPROXY_VERSION;
  return options;
}

store::RocksDbOptions store_options(const config::Settings& settings) {
  store::RocksDbOptions options = settings.store;
  options.pending_max = settings.limits.pending;
  options.audit = settings.audit;
  return options;
}

store::PostgresOptions postgres_options(const config::Settings& settings) {
  store::PostgresOptions options = *settings.postgres;
  options.pending_max = settings.limits.pending;
  options.audit = settings.audit;
  options.audit_path = settings.audit.path;
  return options;
}

telemetry::JsonObject command_line_options(const RunOptions& options,
                                           const config::Settings& settings, std::size_t workers) {
  return {{"config_path", options.config_file},
          {"concurrency", workers},
          {"log_level", level_name(settings.log.level)},
          {"drain_time", admin::duration_text(options.drain_time)},
          {"mode", "Serve"},
          {"disable_hot_restart", true}};
}

}  // namespace onceproxy
