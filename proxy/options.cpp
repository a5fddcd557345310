#include "proxy/options.hpp"

#include <random>
#include <utility>

#include "policies/digest.hpp"

namespace onceproxy {

namespace {

http::Endpoint endpoint(const config::Address& address) {
  return {address.host, address.port, address.unix_path};
}

}  // namespace

telemetry::LogLevel log_level(config::LogLevel level) {
  using telemetry::LogLevel;
  switch (level) {
    case config::LogLevel::trace:
      return LogLevel::trace;
    case config::LogLevel::debug:
      return LogLevel::debug;
    case config::LogLevel::info:
      return LogLevel::info;
    case config::LogLevel::warn:
      return LogLevel::warn;
    case config::LogLevel::error:
      break;
  }
  return LogLevel::error;
}

telemetry::LogFormat log_format(config::LogFormat format) {
  return format == config::LogFormat::text ? telemetry::LogFormat::text
                                           : telemetry::LogFormat::json;
}

http::Options http_options(const config::Settings& settings,
                           std::shared_ptr<const tls::ClientPort> tls, bool identifies_clients) {
  http::Options options;
  options.upstream.tls = std::move(tls);
  options.identifies_clients = identifies_clients;
  options.upstream.endpoint = endpoint(settings.upstream.address);
  options.upstream.connect_timeout = settings.upstream.connect_timeout;
  options.upstream.response_timeout = settings.upstream.response_timeout;
  options.upstream.idle_timeout = settings.upstream.idle_timeout;
  options.upstream.keepalive_timeout = settings.upstream.keepalive_timeout;
  options.upstream.abandoned_timeout = settings.upstream.abandoned_timeout;
  options.upstream.connections_max = settings.upstream.connections_max;
  options.upstream.concurrency_max = settings.upstream.concurrency_max;
  options.upstream.head_bytes_max = settings.upstream.head_bytes_max;
  options.upstream.lenient_http = settings.upstream.lenient_http;
  options.upstream.forwards_covered_only = settings.upstream.forwards_covered_only;
  options.cors = settings.cors;
  options.limits.connections = settings.limits.connections;
  options.limits.head_bytes = settings.limits.head_bytes;
  options.limits.headers = settings.limits.headers;
  options.limits.body_bytes = settings.limits.body_bytes;
  options.limits.buffered_bytes = settings.limits.buffered_bytes;
  options.limits.head_timeout = settings.limits.head_timeout;
  options.limits.body_timeout = settings.limits.body_timeout;
  options.limits.idle_timeout = settings.limits.idle_timeout;
  options.limits.pass_encoded_slashes = settings.limits.pass_encoded_slashes;
  return options;
}

std::vector<http::ListenOptions> data_listeners(const config::Settings& settings,
                                                const Certificates& certificates) {
  std::vector<http::ListenOptions> all;
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    all.push_back({endpoint(settings.listen[i]), certificates.data(i)});
  }
  return all;
}

admin::Endpoint admin_endpoint(const config::Address& address) {
  return {address.host, address.port, address.unix_path};
}

std::optional<telemetry::CaptureOptions> capture_options(const config::Settings& settings) {
  if (!settings.log.capture) return std::nullopt;
  const config::CaptureSettings& capture = *settings.log.capture;
  return telemetry::CaptureOptions{capture.path, capture.sample, capture.bytes_max, capture.redact};
}

std::function<std::string(std::string_view)> make_disguise() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 8; ++i) {
    const unsigned int word = random();
    key.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return [key](std::string_view value) {
    constexpr std::string_view digits = "0123456789abcdef";
    constexpr std::size_t bytes_shown = 8;
    const auto digest = policies::sha256(key + std::string(value));
    std::string out = "redacted-";
    for (std::size_t i = 0; i < bytes_shown; ++i) {
      out += {digits[digest[i] >> 4], digits[digest[i] & 15]};
    }
    return out;
  };
}

std::optional<telemetry::TracerOptions> tracer_options(const config::Settings& settings) {
  if (!settings.tracing) return std::nullopt;
  telemetry::TracerOptions options;
  options.endpoint = settings.tracing->endpoint;
  options.sample_ratio = settings.tracing->sample_ratio;
  options.service_name = settings.tracing->service_name;
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

}  // namespace onceproxy
