#include "proxy/telemetry/delivery_gauges.hpp"

#include "exposition_text.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {
namespace {

TEST_CASE("Each listener shows what it got, what it waits for and how it stands",
          "[delivery_exposition]") {
  Metrics metrics("1");
  metrics.deliveries([] {
    DeliveryGauges now;
    now.listeners.push_back({"billing", true, 3, 40, 5, 600, 7, 8, 9, 10, 11, 12, 2, 13.5});
    now.listeners.push_back({"gone", false});
    now.events_open = 21;
    now.payload_bytes = 22;
    now.payload_bytes_max = 23;
    return now;
  });
  const Exposition now(metrics.exposition());
  CHECK(now.at("onceproxy_delivery_listeners") == 1);
  CHECK(now.at("onceproxy_deliveries_total{listener=\"billing\",result=\"notified\"}") == 600);
  CHECK(now.at("onceproxy_deliveries_total{listener=\"billing\",result=\"dead\"}") == 7);
  CHECK(now.at("onceproxy_deliveries_total{listener=\"billing\",result=\"cancelled\"}") == 8);
  CHECK(now.at("onceproxy_deliveries_total{listener=\"billing\",result=\"removed\"}") == 9);
  CHECK(now.at("onceproxy_delivery_retries_total{listener=\"billing\"}") == 10);
  CHECK(now.at("onceproxy_delivery_unrecorded_total{listener=\"billing\"}") == 11);
  CHECK(now.at("onceproxy_delivery_circuit_opened_total{listener=\"billing\"}") == 12);
  CHECK(now.at("onceproxy_delivery_circuit_state{listener=\"billing\"}") == 2);
  CHECK(now.at("onceproxy_deliveries_in_flight{listener=\"billing\"}") == 3);
  CHECK(now.at("onceproxy_deliveries_pending{listener=\"billing\"}") == 40);
  CHECK(now.at("onceproxy_dead_letters{listener=\"billing\"}") == 5);
  CHECK(now.at("onceproxy_delivery_oldest_pending_seconds{listener=\"billing\"}") == 13.5);
  CHECK(now.at("onceproxy_delivery_events_open") == 21);
  CHECK(now.at("onceproxy_delivery_payload_bytes") == 22);
  CHECK(now.at("onceproxy_delivery_payload_bytes_limit") == 23);
}

TEST_CASE("Where nothing is delivered no metric speaks of it", "[delivery_exposition]") {
  Metrics metrics("1");
  CHECK_FALSE(Exposition(metrics.exposition()).mentions("onceproxy_deliver"));
}

}  // namespace
}  // namespace onceproxy::telemetry
