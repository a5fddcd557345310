#include "proxy/telemetry/delivery_exposition.hpp"

#include "proxy/telemetry/family.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

/// One family with a series for each listener.
template <typename Value>
void append_each(std::vector<MetricFamily>& families, const DeliveryGauges& now, const char* name,
                 const char* help, MetricType type, Value ListenerGauge::*value) {
  Family family(name, help, type);
  for (const ListenerGauge& each : now.listeners) {
    family.add({{"listener", each.listener}}, static_cast<double>(each.*value));
  }
  family.move_to(families);
}

void append_one(std::vector<MetricFamily>& families, const char* name, const char* help,
                std::uint64_t value) {
  Family family(name, help, MetricType::Gauge);
  family.add({}, value);
  family.move_to(families);
}

void append_ends(std::vector<MetricFamily>& families, const DeliveryGauges& now) {
  Family ends("onceproxy_deliveries_total",
              "Deliveries that have ended, by result, since the ledger was created (PostgreSQL: in "
              "this process).",
              MetricType::Counter);
  for (const ListenerGauge& each : now.listeners) {
    ends.add({{"listener", each.listener}, {"result", "notified"}}, each.notified);
    ends.add({{"listener", each.listener}, {"result", "dead"}}, each.dead);
    ends.add({{"listener", each.listener}, {"result", "cancelled"}}, each.cancelled);
    ends.add({{"listener", each.listener}, {"result", "removed"}}, each.removed);
  }
  ends.move_to(families);
}

}  // namespace

void append_deliveries(std::vector<MetricFamily>& families, const DeliveryGauges& now) {
  std::uint64_t configured = 0;
  for (const ListenerGauge& each : now.listeners) configured += each.configured ? 1 : 0;
  append_one(families, "onceproxy_delivery_listeners", "Listeners in the active configuration.",
             configured);
  append_ends(families, now);
  append_each(families, now, "onceproxy_delivery_retries_total",
              "Attempts that failed and are retried, since the ledger was created (PostgreSQL: in "
              "this process).",
              MetricType::Counter, &ListenerGauge::retries);
  append_each(families, now, "onceproxy_delivery_unrecorded_total",
              "Attempts without a recorded result; their deliveries are attempted again.",
              MetricType::Counter, &ListenerGauge::unrecorded);
  append_each(families, now, "onceproxy_delivery_circuit_opened_total",
              "The number of times the listener's circuit has opened.", MetricType::Counter,
              &ListenerGauge::circuit_opened);
  append_each(families, now, "onceproxy_delivery_circuit_state",
              "The listener's circuit: 0 closed, 1 half open, 2 open.", MetricType::Gauge,
              &ListenerGauge::circuit);
  append_each(families, now, "onceproxy_deliveries_in_flight", "Attempts under way.",
              MetricType::Gauge, &ListenerGauge::in_flight);
  append_each(families, now, "onceproxy_deliveries_pending", "Pending deliveries.",
              MetricType::Gauge, &ListenerGauge::pending);
  append_each(families, now, "onceproxy_dead_letters", "Stored dead letters.", MetricType::Gauge,
              &ListenerGauge::dead_letters);
  append_each(families, now, "onceproxy_delivery_oldest_pending_seconds",
              "Age of the oldest pending event of the listener; 0 if there is none.",
              MetricType::Gauge, &ListenerGauge::oldest_pending_seconds);
  append_one(families, "onceproxy_delivery_events_open", "Events with a pending delivery.",
             now.events_open);
  append_one(families, "onceproxy_delivery_payload_bytes", "Size of the stored events.",
             now.payload_bytes);
  append_one(families, "onceproxy_delivery_payload_bytes_limit",
             "delivery.max_bytes; above it new events are refused.", now.payload_bytes_max);
}

}  // namespace onceproxy::telemetry
