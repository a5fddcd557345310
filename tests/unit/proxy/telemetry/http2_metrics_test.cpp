#include "proxy/telemetry/http2_metrics.hpp"

#include <catch2/catch.hpp>

#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {
namespace {

bool has(const Metrics& metrics, const std::string& line) {
  return metrics.exposition().find(line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("without a listener there are no series of HTTP/2") {
  CHECK(Metrics("test").exposition().find("_http2_") == std::string::npos);
}

TEST_CASE("a listener's series are there from the start, all words at zero") {
  Metrics metrics("test");
  metrics.http2().add("envoy");
  CHECK(has(metrics, "onceproxy_http2_connections{listener=\"envoy\"} 0"));
  for (const auto word : http2_ends) {
    CHECK(has(metrics, "onceproxy_http2_connections_ended_total{listener=\"envoy\",reason=\"" +
                           std::string(word) + "\"} 0"));
  }
  for (const auto word : http2_floods) {
    CHECK(has(metrics, "onceproxy_http2_floods_total{listener=\"envoy\",of=\"" + std::string(word) +
                           "\"} 0"));
  }
  for (const auto word : grpc_codes) {
    CHECK(has(metrics, "onceproxy_grpc_calls_total{listener=\"envoy\",code=\"" + std::string(word) +
                           "\"} 0"));
  }
}

TEST_CASE("the loops of a listener are added up, and listeners are not") {
  Metrics metrics("test");
  Http2Counters& one = metrics.http2().add("envoy");
  Http2Counters& two = metrics.http2().add("envoy");
  Http2Counters& other = metrics.http2().add("data");
  one.connection_began();
  two.connection_began();
  two.connection_began();
  two.connection_ended(Http2End::idle);
  other.stream_began();
  other.stream_ended();
  one.flooded(1);
  two.call_ended(14);
  two.call_ended(1'000);
  CHECK(has(metrics, "onceproxy_http2_connections{listener=\"envoy\"} 2"));
  CHECK(has(metrics, "onceproxy_http2_connections{listener=\"data\"} 0"));
  CHECK(has(metrics,
            "onceproxy_http2_connections_ended_total{listener=\"envoy\",reason=\"idle\"} 1"));
  CHECK(has(metrics, "onceproxy_http2_streams{listener=\"data\"} 0"));
  CHECK(has(metrics, "onceproxy_http2_streams_total{listener=\"data\"} 1"));
  CHECK(has(metrics, "onceproxy_http2_floods_total{listener=\"envoy\",of=\"pings\"} 1"));
  CHECK(has(metrics, "onceproxy_grpc_calls_total{listener=\"envoy\",code=\"UNAVAILABLE\"} 1"));
  // A number that gRPC does not know.
  CHECK(has(metrics, "onceproxy_grpc_calls_total{listener=\"envoy\",code=\"UNKNOWN\"} 1"));
}

}  // namespace onceproxy::telemetry
