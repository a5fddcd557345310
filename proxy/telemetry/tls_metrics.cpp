#include "proxy/telemetry/tls_metrics.hpp"

#include <algorithm>

#include "proxy/telemetry/family.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricType;

constexpr auto relaxed = std::memory_order_relaxed;

std::size_t index_of(std::string_view reason) {
  const auto* const found = std::ranges::find(tls_failures, reason);
  return found == tls_failures.end() ? tls_failures.size() - 1
                                     : static_cast<std::size_t>(found - tls_failures.begin());
}

}  // namespace

void TlsMetrics::handshake(TlsPort port, bool resumed) {
  Counters& counters = at(port);
  (resumed ? counters.resumed : counters.full).fetch_add(1, relaxed);
}

void TlsMetrics::failed(TlsPort port, std::string_view peer, std::string_view reason,
                        std::string_view message) {
  at(port).failures[index_of(reason)].fetch_add(1, relaxed);
  // Any client can cause a failed handshake, so that is logged as info; a failed handshake with the
  // upstream, or with a listener of events, is a warning.
  const bool ours = port == TlsPort::upstream || port == TlsPort::delivery;
  const LogLevel level = ours ? LogLevel::warn : LogLevel::info;
  log(level, "TLS handshake failed",
      {{"listener", tls_ports[static_cast<std::size_t>(port)]},
       {"peer", peer},
       {"reason", reason},
       {"error", message}});
}

void TlsMetrics::certificate(TlsPort port, std::chrono::system_clock::time_point expires) {
  at(port).expires.store(std::chrono::system_clock::to_time_t(expires), relaxed);
}

void TlsMetrics::reloaded(TlsPort port, bool successful) {
  Counters& counters = at(port);
  (successful ? counters.reloads : counters.reloads_failed).fetch_add(1, relaxed);
}

void TlsMetrics::append(std::vector<prometheus::MetricFamily>& families) const {
  Family handshakes("onceproxy_tls_handshakes_total",
                    "Successful TLS handshakes: full, or resumed sessions.", MetricType::Counter);
  Family failures("onceproxy_tls_handshake_failures_total", "Failed TLS handshakes, by reason.",
                  MetricType::Counter);
  Family expires(
      "onceproxy_tls_certificate_expires_timestamp_seconds",
      "When the first certificate of the presented chain expires, in seconds since the epoch.",
      MetricType::Gauge);
  Family reloads("onceproxy_tls_reloads_total", "Reloads of changed certificate files, by result.",
                 MetricType::Counter);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const Counters& counters = ports_[i];
    if (!counters.speaks.load(relaxed)) continue;
    const std::string_view port = tls_ports[i];
    handshakes.add({{"listener", port}, {"kind", "full"}}, counters.full.load(relaxed));
    handshakes.add({{"listener", port}, {"kind", "resumed"}}, counters.resumed.load(relaxed));
    for (std::size_t reason = 0; reason < tls_failures.size(); ++reason) {
      failures.add({{"listener", port}, {"reason", tls_failures[reason]}},
                   counters.failures[reason].load(relaxed));
    }
    if (const std::int64_t end = counters.expires.load(relaxed); end != 0) {
      expires.add({{"listener", port}}, static_cast<double>(end));
    }
    reloads.add({{"listener", port}, {"result", "loaded"}}, counters.reloads.load(relaxed));
    reloads.add({{"listener", port}, {"result", "failed"}}, counters.reloads_failed.load(relaxed));
  }
  for (Family* family : {&handshakes, &failures, &expires, &reloads}) family->move_to(families);
}

}  // namespace onceproxy::telemetry
