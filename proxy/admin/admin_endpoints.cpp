#include "proxy/admin/admin_endpoints.hpp"

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/admin/memory.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/admin/statistics.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {
namespace {

using telemetry::JsonObject;
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
  if (word == "error") return LogLevel::error;
  return std::nullopt;
}

std::string_view state_name(ServerState state) {
  switch (state) {
    case ServerState::live:
      return "LIVE";
    case ServerState::draining:
      return "DRAINING";
    case ServerState::pre_initializing:
      break;
  }
  return "PRE_INITIALIZING";
}

Response server_info(const AdminHooks& hooks) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::steady_clock::now() - hooks.started);
  JsonObject options;
  for (const auto& [name, value] : hooks.options ? hooks.options() : NamedTexts{}) {
    options[name] = value;
  }
  JsonObject out({{"version", hooks.version},
                  {"state", state_name(hooks.state())},
                  {"uptime_current_epoch", std::to_string(uptime.count()) + "s"}});
  if (hooks.drain_state) {
    const DrainState drain = hooks.drain_state();
    out["connections"] = drain.connections;
    out["drained"] = drain.drained;
  }
  out["command_line_options"] = std::move(options);
  return json(200, out);
}

Response listeners(const AdminHooks& hooks) {
  std::string body;
  for (const auto& [name, address] : hooks.listeners())
    body.append(name).append("::").append(address) += '\n';
  return plain(200, body);
}

/// Envoy's lines, as far as there is something to say.
Response clusters(const AdminHooks& hooks) {
  const UpstreamState upstream = hooks.upstream();
  std::string body;
  const auto line = [&body](std::string_view subject, std::string_view name, std::string value) {
    body.append("upstream::").append(subject).append("::").append(name).append("::");
    body.append(value) += '\n';
  };
  line("default_priority", "max_connections", std::to_string(upstream.connections_max));
  if (upstream.turns_max > 0) {
    line("default_priority", "max_requests", std::to_string(upstream.turns_max));
  }
  const std::string host = upstream.found.empty() ? "unresolved" : upstream.found;
  line(host, "hostname", upstream.address);
  line(host, "cx_active", std::to_string(upstream.connections));
  line(host, "rq_pending_active", std::to_string(upstream.waiting));
  if (upstream.turns_max > 0) line(host, "rq_active", std::to_string(upstream.turns));
  return plain(200, body);
}

Response stats(const Request& request, const telemetry::Metrics& metrics,
               const Statistics& statistics) {
  if (request.query.empty()) return plain(200, statistics.lines(metrics.exposition()));
  const std::optional<std::string> format = only_argument(request, "format");
  if (format == "text") return plain(200, statistics.lines(metrics.exposition()));
  if (format == "prometheus") return metrics_response(metrics);
  return plain(400, "usage: /stats[?format=text|prometheus]\n");
}

Response logging(const Request& request, const AdminHooks& hooks) {
  const std::optional<std::string> word = only_argument(request, "level");
  const std::optional<LogLevel> level = word ? parse_level(*word) : std::nullopt;
  if (!level) return plain(400, "usage: /logging?level=trace|debug|info|warning|error\n");
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
    server.add("GET", "/server_info",
               "version, state, uptime, options and how far a drain has come",
               [hooks](const Request&) { return server_info(*hooks); });
  if (hooks->listeners)
    server.add("GET", "/listeners", "names and addresses of the listeners",
               [hooks](const Request&) { return listeners(*hooks); });
  if (hooks->upstream)
    server.add("GET", "/clusters", "the upstream: its address, connections and limits",
               [hooks](const Request&) { return clusters(*hooks); });
  if (hooks->config_dump)
    server.add("GET", "/config_dump", "the configuration in force, secrets redacted",
               [hooks](const Request&) { return json(200, hooks->config_dump()); });
}

void add_statistics(Server& server, const telemetry::Metrics& metrics) {
  const auto statistics = std::make_shared<Statistics>();
  server.add("GET", "/stats", "metrics as name: value lines",
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

void add_admin_endpoints(Server& server, const telemetry::Metrics& metrics, AdminHooks hooks) {
  const auto shared = std::make_shared<const AdminHooks>(std::move(hooks));
  add_reading(server, metrics, shared);
  add_statistics(server, metrics);
  add_acting(server, shared);
}

}  // namespace onceproxy::admin
