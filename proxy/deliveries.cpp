#include "proxy/deliveries.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using delivery::Circuit;

int number(Circuit::State state) {
  switch (state) {
    case Circuit::State::closed:
      return 0;
    case Circuit::State::half_open:
      return 1;
    case Circuit::State::open:
      return 2;
  }
  return 0;
}

}  // namespace

Deliveries::Deliveries(store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
                       http::Server& server, std::shared_ptr<const gate::Rules> rules,
                       const http::Options& options)
    : ledger_(*store.ledger()),
      clock_(clock),
      metrics_(metrics),
      engine_({}, store, clock, metrics, server.upstream_share()) {
  engine_.configure(engine_.prepare(std::move(rules), options));
  server.acknowledge_by(engine_);
  metrics_.deliveries([this] { return figures(); });
}

Deliveries::~Deliveries() {
  metrics_.deliveries({});
}

void Deliveries::drain(std::chrono::milliseconds patience) {
  if (engine_.drain(patience)) return;
  telemetry::log(telemetry::LogLevel::warn,
                 "drain time is over; attempts under way were cut off, and are made again after "
                 "the next start");
}

telemetry::DeliveryGauges Deliveries::figures() const {
  const store::LedgerFigures known = ledger_.figures();
  std::map<std::string, telemetry::ListenerGauge, std::less<>> listeners;
  for (const store::ListenerFigures& each : known.listeners) {
    telemetry::ListenerGauge& gauge = listeners[each.listener];
    gauge.pending = each.pending;
    gauge.dead_letters = each.dead;
    gauge.notified = each.notified_total;
    gauge.dead = each.dead_total;
    gauge.cancelled = each.cancelled_total;
    gauge.removed = each.removed_total;
    gauge.retries = each.failed_total;
    if (each.oldest_pending) {
      const std::chrono::duration<double> age = clock_.now() - *each.oldest_pending;
      gauge.oldest_pending_seconds = std::max(0.0, age.count());
    }
  }
  for (const auto& [name, counts] : engine_.listeners()) {
    telemetry::ListenerGauge& gauge = listeners[name];
    gauge.configured = counts->configured;
    gauge.in_flight = counts->in_flight;
    gauge.unrecorded = counts->unrecorded;
    gauge.circuit_opened = counts->circuit_opened;
    gauge.circuit = number(counts->circuit);
  }
  telemetry::DeliveryGauges gauges;
  for (auto& [name, gauge] : listeners) {
    gauge.listener = name;
    gauges.listeners.push_back(std::move(gauge));
  }
  gauges.events_open = known.events_open;
  gauges.payload_bytes = known.payload_bytes;
  gauges.payload_bytes_max = known.payload_bytes_max;
  return gauges;
}

}  // namespace onceproxy
