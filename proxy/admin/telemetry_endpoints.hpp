// The endpoints of the telemetry port: /metrics, /ready and /live. They are read-only, so the port
// may be reachable in the cluster.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "proxy/admin/server.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::admin {

/// Absent if the program is ready for traffic; otherwise the reason, which contains no secrets.
/// Called on the server's thread.
using Readiness = std::function<std::optional<std::string>()>;

/// A problem that does not affect readiness, which contains no secrets; empty if there is none.
using ReadyNote = std::function<std::string()>;

/// 200 "LIVE", followed by the note if there is one, or 503 with the reason. `note` may be empty.
Response readiness_response(const Readiness& ready, const ReadyNote& note);
/// 200 "LIVE": the process runs.
Response liveness_response();
/// The text exposition format.
Response metrics_response(const telemetry::Metrics& metrics);

/// `metrics` must outlive the server. /live is 200 as long as the process runs: a probe that
/// restarts the process must not fail because the upstream or the store fails.
void add_telemetry_endpoints(Server& server, const telemetry::Metrics& metrics, Readiness ready,
                             ReadyNote note = {});

}  // namespace onceproxy::admin
