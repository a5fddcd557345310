// What the telemetry port shows: /metrics, /ready and /live. Read-only, so it may face the cluster.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "proxy/admin/server.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::admin {

/// Absent: ready for traffic. Otherwise why not, in words that may be shown to anybody. Called on
/// the server's thread.
using Readiness = std::function<std::optional<std::string>()>;

/// 200 "LIVE", or 503 with the reason.
Response readiness_response(const Readiness& ready);
/// The text exposition format.
Response metrics_response(const telemetry::Metrics& metrics);

/// `metrics` outlives the server. /live is 200 while the process serves at all: a probe that
/// restarts the process must not fail because the upstream or the store does.
void add_telemetry_endpoints(Server& server, const telemetry::Metrics& metrics, Readiness ready);

}  // namespace onceproxy::admin
