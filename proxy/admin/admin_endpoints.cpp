#include "proxy/admin/admin_endpoints.hpp"

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/admin/envoy_answers.hpp"
#include "proxy/admin/memory.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/admin/statistics.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {
namespace {

using telemetry::LogLevel;

Response done() {
  return plain(200, "OK\n");
}

/// The one argument an endpoint takes; absent when it is missing, repeated or beside others.
std::optional<std::string> only_argument(const Request& request, std::string_view name) {
  if (request.query.size() != 1 || request.query.begin()->first != name) return std::nullopt;
  return request.query.begin()->second;
}

/// Envoy's words, and ours.
std::optional<LogLevel> parse_level(std::string_view word) {
  if (word == "trace") return LogLevel::trace;
  if (word == "debug") return LogLevel::debug;
  if (word == "info") return LogLevel::info;
  if (word == "warn" || word == "warning") return LogLevel::warn;
  // There is nothing above an error here.
  if (word == "error" || word == "critical") return LogLevel::error;
  return std::nullopt;
}

enum class Format { text, json, prometheus, unknown };

Format format_of(std::string_view word) {
  if (word == "text") return Format::text;
  if (word == "json") return Format::json;
  if (word == "prometheus") return Format::prometheus;
  return Format::unknown;
}

/// Of an endpoint whose only argument is ?format=text|json.
Format text_or_json(const Request& request) {
  if (request.query.empty()) return Format::text;
  const std::optional<std::string> word = only_argument(request, "format");
  const Format format = word ? format_of(*word) : Format::unknown;
  return format == Format::prometheus ? Format::unknown : format;
}

Response listeners(const Request& request, const AdminHooks& hooks) {
  switch (text_or_json(request)) {
    case Format::text:
      return plain(200, listeners_text(hooks.listeners()));
    case Format::json:
      return json(200, listeners_json(hooks.listeners()));
    default:
      return plain(400, "usage: /listeners[?format=text|json]\n");
  }
}

Response clusters(const Request& request, const AdminHooks& hooks,
                  const telemetry::Metrics& metrics) {
  const Format format = text_or_json(request);
  if (format == Format::unknown) return plain(400, "usage: /clusters[?format=text|json]\n");
  const UpstreamState upstream = hooks.upstream();
  const UpstreamCounts counts = upstream_counts(metrics.exposition());
  if (format == Format::json) return json(200, clusters_json(upstream, counts));
  return plain(200, clusters_text(upstream, counts));
}

Response stats(const Request& request, const telemetry::Metrics& metrics,
               const Statistics& statistics) {
  Format format = Format::text;
  NameFilter filter;
  bool good = true;
  for (const auto& [name, value] : request.query) {
    good = good && request.query.count(name) == 1;
    if (name == "format") {
      format = format_of(value);
    } else if (name == "filter") {
      auto compiled = name_filter(value);
      if (!compiled) return plain(400, compiled.error() + "\n");
      filter = *std::move(compiled);
    } else {
      good = false;
    }
  }
  // A scraper filters by itself, and a part of the format would lose what its comments say.
  if (format == Format::prometheus && filter) good = false;
  if (!good || format == Format::unknown) {
    return plain(400,
                 "usage: /stats[?format=text|json][&filter=REGEX], or /stats?format=prometheus\n");
  }
  if (format == Format::prometheus) return metrics_response(metrics);
  const std::string exposition = metrics.exposition();
  if (format == Format::json) return json(200, statistics.json(exposition, filter));
  return plain(200, statistics.lines(exposition, filter));
}

Response logging(const Request& request, const AdminHooks& hooks) {
  const std::optional<std::string> word = only_argument(request, "level");
  const std::optional<LogLevel> level = word ? parse_level(*word) : std::nullopt;
  if (!level) return plain(400, "usage: /logging?level=trace|debug|info|warning|error|critical\n");
  hooks.set_log_level(*level);
  return done();
}

void add_reading(Server& server, const telemetry::Metrics& metrics,
                 const std::shared_ptr<const AdminHooks>& hooks) {
  // The server outlives its handlers.
  for (const char* path : {"/", "/help"})
    server.add("GET", path, "this list", [&server](const Request&) {
      return plain(200, "onceproxy admin:\n" + server.help());
    });
  for (const char* path : {"/metrics", "/stats/prometheus"})
    server.add("GET", path, "metrics in the Prometheus text format",
               [&metrics](const Request&) { return metrics_response(metrics); });
  server.add("GET", "/memory", "memory of the allocator and the process",
             [](const Request&) { return json(200, memory()); });
  if (hooks->ready)
    server.add(
        "GET", "/ready", "200 when ready for traffic, else 503 and why",
        [hooks](const Request&) { return readiness_response(hooks->ready, hooks->ready_note); });
  server.add("GET", "/live", "200 while the process serves",
             [](const Request&) { return liveness_response(); });
  if (hooks->state)
    server.add("GET", "/server_info", "version, state, uptime, options and progress of a drain",
               [hooks](const Request&) { return json(200, server_info(*hooks)); });
  if (hooks->listeners)
    server.add("GET", "/listeners", "?format=: names and addresses of the listeners",
               [hooks](const Request& request) { return listeners(request, *hooks); });
  if (hooks->upstream)
    server.add(
        "GET", "/clusters", "?format=: the upstream: its address, connections and limits",
        [hooks, &metrics](const Request& request) { return clusters(request, *hooks, metrics); });
  if (hooks->config_dump)
    server.add("GET", "/config_dump", "the configuration in force, secrets redacted",
               [hooks](const Request&) { return json(200, hooks->config_dump()); });
}

void add_statistics(Server& server, const telemetry::Metrics& metrics) {
  const auto statistics = std::make_shared<Statistics>();
  server.add("GET", "/stats", "?format=&filter=: metrics as name: value lines, or JSON",
             [&metrics, statistics](const Request& request) {
               return stats(request, metrics, *statistics);
             });
  server.add("POST", "/reset_counters", "counters of /stats begin at zero from now on",
             [&metrics, statistics](const Request&) {
               statistics->reset(metrics.exposition());
               return done();
             });
}

void add_acting(Server& server, const std::shared_ptr<const AdminHooks>& hooks) {
  if (hooks->set_log_level)
    server.add("POST", "/logging", "?level=: set the log's level until the next reload",
               [hooks](const Request& request) { return logging(request, *hooks); });
  if (hooks->fail_health_check) {
    for (const bool fail : {true, false})
      server.add("POST", fail ? "/healthcheck/fail" : "/healthcheck/ok",
                 fail ? "answer /ready with 503" : "take back /healthcheck/fail",
                 [hooks, fail](const Request&) {
                   hooks->fail_health_check(fail);
                   return done();
                 });
  }
  if (hooks->reload)
    server.add("POST", "/reload", "load the configuration file again", [hooks](const Request&) {
      ReloadReport report = hooks->reload();
      return json(report.successful ? 200 : 500, std::move(report.json));
    });
  if (hooks->drain_listeners)
    server.add("POST", "/drain_listeners", "take no new connections", [hooks](const Request&) {
      hooks->drain_listeners();
      return done();
    });
  if (hooks->quit)
    server.add("POST", "/quitquitquit", "drain and exit", [hooks](const Request&) {
      hooks->quit();
      return done();
    });
}

}  // namespace

std::string duration_text(std::chrono::milliseconds duration) {
  constexpr std::int64_t per_second = 1'000;
  const std::int64_t whole = duration.count() / per_second;
  const std::int64_t rest = duration.count() % per_second;
  std::string text = std::to_string(whole);
  if (rest > 0) {
    const std::string digits = std::to_string(rest);
    text += "." + std::string(3 - digits.size(), '0') + digits;
  }
  return text + "s";
}

void add_admin_endpoints(Server& server, const telemetry::Metrics& metrics, AdminHooks hooks) {
  const auto shared = std::make_shared<const AdminHooks>(std::move(hooks));
  add_reading(server, metrics, shared);
  add_statistics(server, metrics);
  add_acting(server, shared);
}

}  // namespace onceproxy::admin
