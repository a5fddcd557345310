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

/// What is wrong and takes no traffic away, in words that may be shown to anybody; empty: nothing.
using ReadyNote = std::function<std::string()>;

/// 200 "LIVE", with the note behind it where there is one, or 503 with the reason. `note` may be
/// empty.
Response readiness_response(const Readiness& ready, const ReadyNote& note);
/// 200 "LIVE": the process serves.
Response liveness_response();
/// The text exposition format.
Response metrics_response(const telemetry::Metrics& metrics);

/// `metrics` outlives the server. /live is 200 while the process serves at all: a probe that
/// restarts the process must not fail because the upstream or the store does.
void add_telemetry_endpoints(Server& server, const telemetry::Metrics& metrics, Readiness ready,
                             ReadyNote note = {});

}  // namespace onceproxy::admin
