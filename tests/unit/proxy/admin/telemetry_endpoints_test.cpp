#include "proxy/admin/telemetry_endpoints.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <string>

#include "client.hpp"

namespace onceproxy::admin {
namespace {

TEST_CASE("the telemetry port shows metrics, readiness and liveness, and changes nothing") {
  telemetry::Metrics metrics("1");
  metrics.policy("dispatch");
  std::atomic<bool> ready{false};
  Server server({"127.0.0.1", 0, ""});
  add_telemetry_endpoints(server, metrics, [&]() -> std::optional<std::string> {
    if (ready) return std::nullopt;
    return "the store is opening";
  });
  server.start();

  const std::string shown = fetch(server.address(), "GET", "/metrics");
  CHECK(status(shown) == 200);
  CHECK(shown.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") !=
        std::string::npos);
  CHECK(
      body(shown).find("onceproxy_requests_total{policy=\"dispatch\",decision=\"forwarded\"} 0") !=
      std::string::npos);

  const std::string not_ready = fetch(server.address(), "GET", "/ready");
  CHECK(status(not_ready) == 503);
  CHECK(body(not_ready) == "the store is opening\n");
  CHECK(status(fetch(server.address(), "GET", "/live")) == 200);
  ready = true;
  CHECK(status(fetch(server.address(), "GET", "/ready")) == 200);

  for (const char* path : {"/metrics", "/ready", "/live"})
    CHECK(status(fetch(server.address(), "POST", path)) == 405);
  CHECK(status(fetch(server.address(), "POST", "/quitquitquit")) == 404);
}

TEST_CASE("a problem that does not affect readiness is shown after the state") {
  std::string note;
  std::optional<std::string> reason;
  const auto answer = [&] {
    return readiness_response([&] { return reason; }, [&] { return note; });
  };
  CHECK(answer().body == "LIVE\n");
  note = "clock in doubt";
  CHECK(answer().status == 200);
  CHECK(answer().body == "LIVE\nclock in doubt\n");
  reason = "draining";
  CHECK(answer().status == 503);
  CHECK(answer().body == "draining\nclock in doubt\n");
}

}  // namespace
}  // namespace onceproxy::admin
