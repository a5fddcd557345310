#include "proxy/telemetry/tls_metrics.hpp"

#include <catch2/catch.hpp>

#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {
namespace {

bool has(const Metrics& metrics, const std::string& line) {
  return metrics.exposition().find(line + "\n") != std::string::npos;
}

TEST_CASE("a port that speaks no TLS shows nothing, one that does shows everything at zero") {
  Metrics metrics("test");
  CHECK(metrics.exposition().find("onceproxy_tls_") == std::string::npos);
  metrics.tls().speaks(TlsPort::admin);
  CHECK(has(metrics, "onceproxy_tls_handshakes_total{listener=\"admin\",kind=\"full\"} 0"));
  CHECK(has(metrics, "onceproxy_tls_handshakes_total{listener=\"admin\",kind=\"resumed\"} 0"));
  for (const std::string_view reason : tls_failures) {
    CHECK(has(metrics, "onceproxy_tls_handshake_failures_total{listener=\"admin\",reason=\"" +
                           std::string(reason) + "\"} 0"));
  }
  CHECK(has(metrics, "onceproxy_tls_reloads_total{listener=\"admin\",result=\"failed\"} 0"));
  CHECK(metrics.exposition().find("listener=\"data\"") == std::string::npos);
}

TEST_CASE("handshakes, failures, renewals and ends are counted where they happened") {
  set_up_log(LogLevel::error, LogFormat::json);
  Metrics metrics("test");
  TlsMetrics& tls = metrics.tls();
  tls.speaks(TlsPort::data);
  tls.handshake(TlsPort::data, false);
  tls.handshake(TlsPort::data, true);
  tls.handshake(TlsPort::data, true);
  tls.failed(TlsPort::data, "10.0.0.1", "cipher", "no shared cipher");
  tls.failed(TlsPort::data, "10.0.0.1", "a word that is none", "");
  tls.reloaded(TlsPort::data, true);
  tls.certificate(TlsPort::data, std::chrono::system_clock::from_time_t(1'800'000'000));
  CHECK(has(metrics, "onceproxy_tls_handshakes_total{listener=\"data\",kind=\"full\"} 1"));
  CHECK(has(metrics, "onceproxy_tls_handshakes_total{listener=\"data\",kind=\"resumed\"} 2"));
  CHECK(has(metrics,
            "onceproxy_tls_handshake_failures_total{listener=\"data\",reason=\"cipher\"} 1"));
  CHECK(
      has(metrics, "onceproxy_tls_handshake_failures_total{listener=\"data\",reason=\"other\"} 1"));
  CHECK(has(metrics, "onceproxy_tls_reloads_total{listener=\"data\",result=\"loaded\"} 1"));
  CHECK(has(metrics,
            "onceproxy_tls_certificate_expires_timestamp_seconds{listener=\"data\"} 1800000000"));
}

}  // namespace
}  // namespace onceproxy::telemetry
