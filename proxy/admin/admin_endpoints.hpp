// The endpoints of the admin port that have Envoy's names, so that tools for Envoy work with it.
// Each endpoint needs its hook; without the hook the endpoint does not exist.
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

/// The current use of the upstream.
struct UpstreamState {
  /// The address as configured.
  std::string address;
  /// The numeric address; empty while the name has not been resolved.
  std::string found;
  std::size_t connections = 0;
  std::size_t connections_max = 0;
  /// Requests that wait for a connection or a turn.
  std::size_t waiting = 0;
  /// Requests under way, if their number is limited; otherwise 0.
  std::size_t turns = 0;
  std::size_t turns_max = 0;
};

/// The progress of a drain.
struct DrainState {
  /// The number of open client connections.
  std::size_t connections = 0;
  /// Whether no connection is accepted any more and none is left.
  bool drained = false;
};

struct ReloadReport {
  /// If false, the previous configuration stays active, and POST /reload answers 500, as in
  /// Prometheus.
  bool successful = false;
  /// The changes, or all problems.
  std::string json;
};

/// The functions by which the endpoints use the program. They run on the server's thread and must
/// be quick, except `reload`, which may wait for a resolver. Draining and quitting are only begun.
struct AdminHooks {
  std::string version;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  /// GET /server_info needs `state`.
  std::function<ServerState()> state;
  /// The values of the command line and the configuration, under Envoy's names; shown in
  /// /server_info.
  std::function<telemetry::JsonObject()> options;
  /// Shown in /server_info as well.
  std::function<DrainState()> drain_state;
  /// GET /ready.
  Readiness ready;
  ReadyNote ready_note;
  /// GET /clusters.
  std::function<UpstreamState()> upstream;
  /// GET /config_dump: the active configuration as JSON, without secrets.
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

/// A Duration as protobuf writes it in JSON: "30s", "0.500s".
std::string duration_text(std::chrono::milliseconds duration);

/// `metrics` must outlive the server. Further endpoints: GET / /help /live /stats /stats/prometheus
/// /metrics /memory and POST /reset_counters. As in Envoy, the latter resets only what GET /stats
/// shows; counters for Prometheus never decrease.
void add_admin_endpoints(Server& server, const telemetry::Metrics& metrics, AdminHooks hooks);

}  // namespace onceproxy::admin
