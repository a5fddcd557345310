#include "proxy/admin/telemetry_endpoints.hpp"

#include <utility>

namespace onceproxy::admin {

Response readiness_response(const Readiness& ready, const ReadyNote& note) {
  const std::optional<std::string> reason = ready();
  Response response;
  response.status = reason ? 503 : 200;
  response.body = (reason ? *reason : "LIVE") + "\n";
  if (const std::string text = note ? note() : ""; !text.empty()) response.body += text + "\n";
  return response;
}

Response liveness_response() {
  Response response;
  response.body = "LIVE\n";
  return response;
}

Response metrics_response(const telemetry::Metrics& metrics) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics.exposition()};
}

void add_telemetry_endpoints(Server& server, const telemetry::Metrics& metrics, Readiness ready,
                             ReadyNote note) {
  server.add("GET", "/metrics", "metrics in the Prometheus text format",
             [&metrics](const Request&) { return metrics_response(metrics); });
  server.add("GET", "/ready", "200 when ready for traffic, else 503 and why",
             [ready = std::move(ready), note = std::move(note)](const Request&) {
               return readiness_response(ready, note);
             });
  server.add("GET", "/live", "200 while the process serves",
             [](const Request&) { return liveness_response(); });
}

}  // namespace onceproxy::admin
