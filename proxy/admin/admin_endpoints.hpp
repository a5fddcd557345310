// What the admin port shows and does, under Envoy's names, so that the tools and habits made for
// Envoy work. Each endpoint needs its hook; without it the endpoint does not exist.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/admin/server.hpp"
#include "proxy/admin/telemetry_endpoints.hpp"
#include "proxy/telemetry/json.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::admin {

enum class ServerState { pre_initializing, live, draining };

using NamedTexts = std::vector<std::pair<std::string, std::string>>;

/// The upstream as it is used now.
struct UpstreamState {
  /// As configured.
  std::string address;
  /// As found, numeric; empty while its name does not resolve.
  std::string found;
  std::size_t connections = 0;
  std::size_t connections_max = 0;
  /// Requests that wait for a connection or a turn.
  std::size_t waiting = 0;
  /// Requests under way, where their number is limited; 0: it is not.
  std::size_t turns = 0;
  std::size_t turns_max = 0;
};

/// How far a drain has come.
struct DrainState {
  /// Connections of clients that are open.
  std::size_t connections = 0;
  /// No connection is accepted any more, and none is left.
  bool drained = false;
};

struct ReloadReport {
  /// False: what was loaded before stays in force, and POST /reload answers 500, as Prometheus's.
  bool successful = false;
  /// What changed, or every problem.
  std::string json;
};

/// How the endpoints reach the program. All run on the server's thread and must be quick, but for
/// `reload`, which may wait for a resolver; what takes long (draining, quitting) they only begin.
struct AdminHooks {
  std::string version;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  /// GET /server_info needs `state`.
  std::function<ServerState()> state;
  /// What the command line and the configuration chose, under Envoy's names; shown in
  /// /server_info.
  std::function<telemetry::JsonObject()> options;
  /// Shown in /server_info as well.
  std::function<DrainState()> drain_state;
  /// GET /ready.
  Readiness ready;
  ReadyNote ready_note;
  /// GET /clusters.
  std::function<UpstreamState()> upstream;
  /// GET /config_dump: the configuration in force as JSON, secrets redacted.
  std::function<std::string()> config_dump;
  /// GET /listeners: name and address.
  std::function<NamedTexts()> listeners;
  /// POST /logging?level=.
  std::function<void(telemetry::LogLevel)> set_log_level;
  /// POST /healthcheck/fail (true) and /healthcheck/ok (false).
  std::function<void(bool)> fail_health_check;
  /// POST /reload.
  std::function<ReloadReport()> reload;
  /// POST /drain_listeners.
  std::function<void()> drain_listeners;
  /// POST /quitquitquit.
  std::function<void()> quit;
};

/// As protobuf writes a Duration in JSON: "30s", "0.500s".
std::string duration_text(std::chrono::milliseconds duration);

/// `metrics` outlives the server. Besides the above: GET / /help /live /stats /stats/prometheus
/// /metrics /memory and POST /reset_counters, which, as Envoy's, counts only what GET /stats shows
/// from zero; what Prometheus scrapes never goes back.
void add_admin_endpoints(Server& server, const telemetry::Metrics& metrics, AdminHooks hooks);

}  // namespace onceproxy::admin
