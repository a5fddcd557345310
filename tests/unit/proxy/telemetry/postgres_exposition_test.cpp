#include "proxy/telemetry/postgres_exposition.hpp"

#include "exposition_text.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {
namespace {

Exposition shown(const StoreGauges& gauges) {
  Metrics metrics("1");
  metrics.store_gauges([&] { return gauges; });
  return Exposition(metrics.exposition());
}

TEST_CASE("a store in PostgreSQL shows its database, and nothing of RocksDB") {
  store::PostgresStats stats;
  stats.bytes = 1;
  stats.circuit_open = true;
  stats.hears = true;
  stats.connections = 2;
  stats.connections_max = 3;
  stats.queued = 4;
  stats.queued_max = 5;
  stats.cache_bytes = 6;
  stats.cache_bytes_max = 7;
  stats.retained = 8;
  stats.round_trips = 9;
  stats.connects = 10;
  stats.connect_failures = 11;
  stats.retries_connection = 12;
  stats.retries_conflict = 13;
  stats.retries_deadlock = 14;
  stats.retries_shutdown = 15;
  stats.retries_other = 22;
  stats.timeouts = 16;
  stats.replication_waits = 17;
  stats.replication_unconfirmed = 18;
  stats.cache_hits = 19;
  stats.notifications = 20;
  stats.leases_lost = 21;
  const Exposition now = shown({stats});
  const std::string prefix = "onceproxy_postgres_";
  CHECK(now.at(prefix + "circuit_open") == 1);
  CHECK(now.at(prefix + "listening") == 1);
  CHECK(now.at(prefix + "connections") == 2);
  CHECK(now.at(prefix + "connections_limit") == 3);
  CHECK(now.at(prefix + "queued") == 4);
  CHECK(now.at(prefix + "queued_limit") == 5);
  CHECK(now.at(prefix + "cache_bytes") == 6);
  CHECK(now.at(prefix + "cache_bytes_limit") == 7);
  CHECK(now.at(prefix + "retained") == 8);
  CHECK(now.at(prefix + "round_trips_total") == 9);
  CHECK(now.at(prefix + "connects_total") == 10);
  CHECK(now.at(prefix + "connect_failures_total") == 11);
  CHECK(now.at(prefix + "retries_total{reason=\"connection\"}") == 12);
  CHECK(now.at(prefix + "retries_total{reason=\"conflict\"}") == 13);
  CHECK(now.at(prefix + "retries_total{reason=\"deadlock\"}") == 14);
  CHECK(now.at(prefix + "retries_total{reason=\"shutdown\"}") == 15);
  CHECK(now.at(prefix + "retries_total{reason=\"other\"}") == 22);
  CHECK(now.at(prefix + "timeouts_total") == 16);
  CHECK(now.at(prefix + "replication_waits_total") == 17);
  CHECK(now.at(prefix + "replication_unconfirmed_total") == 18);
  CHECK(now.at(prefix + "cache_hits_total") == 19);
  CHECK(now.at(prefix + "notifications_total") == 20);
  CHECK(now.at(prefix + "leases_lost_total") == 21);
  CHECK(now.types.at(prefix + "leases_lost_total") == "counter");
  CHECK(now.at("onceproxy_store_bytes") == 1);
  CHECK(now.at("onceproxy_store_healthy") == 1);
  for (const char* const name :
       {"clock_doubted", "prepared_log", "bytes_limit", "memtable_bytes"}) {
    CHECK_FALSE(now.mentions(std::string("onceproxy_store_") + name));
  }
}

TEST_CASE("a store in RocksDB shows nothing of PostgreSQL") {
  const Exposition now = shown({});
  CHECK_FALSE(now.mentions("onceproxy_postgres_"));
  CHECK(now.mentions("onceproxy_store_clock_doubted"));
}

TEST_CASE("every kind of PostgreSQL error is shown at zero, so that the first failure is a rise") {
  Metrics metrics("1");
  for (const std::string word :
       {"circuit_open", "conflict", "connection", "connections", "deadlock", "disk_full", "other",
        "permission", "pool_full", "read_only", "resources", "retain", "schema", "shutdown",
        "statement_timeout", "timeout", "unconfirmed", "unsafe"}) {
    INFO(word);
    const std::string series = "onceproxy_store_errors_total{operation=\"" + word + "\"}";
    CHECK(Exposition(metrics.exposition()).at(series) == 0);
    metrics.store_error(word);
    CHECK(Exposition(metrics.exposition()).at(series) == 1);
  }
}

}  // namespace
}  // namespace onceproxy::telemetry
