// The store's metrics: its gauges, and what it counts.
#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "exposition_text.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

TEST_CASE("the store's health and limits are shown beside what they limit") {
  Metrics metrics("1");
  StoreGauges::RocksDb store;
  store.stats.bytes = 1;
  store.stats.records_estimate = 2;
  store.stats.bytes_max = 3;
  store.stats.reservations_active = 4;
  store.stats.reservations_max = 5;
  store.stats.clock.wall_ahead = -1500ms;
  store.stats.audit_bytes = 6;
  store.stats.audit_dropped = 14;
  store.figures.delayed_write_rate = 7;
  store.figures.background_errors = 8;
  store.figures.memtable_bytes = 9;
  store.figures.compaction_pending_bytes = 10;
  store.figures.compactions_running = 11;
  store.figures.block_cache_bytes = 12;
  store.figures.blob_bytes = 13;
  metrics.store_gauges([&] { return StoreGauges{store}; });
  const Exposition shown(metrics.exposition());
  CHECK(shown.at("onceproxy_store_bytes") == 1);
  CHECK(shown.at("onceproxy_store_bytes_limit") == 3);
  CHECK(shown.at("onceproxy_store_reservations") == 4);
  CHECK(shown.at("onceproxy_store_reservations_limit") == 5);
  CHECK(shown.at("onceproxy_store_healthy") == 1);
  CHECK(shown.at("onceproxy_store_clock_offset_seconds") == -1.5);
  CHECK(shown.at("onceproxy_store_clock_doubted") == 0);
  CHECK(shown.at("onceproxy_store_prepared_log") == 0);
  CHECK(shown.at("onceproxy_store_writes_stopped") == 0);
  CHECK(shown.at("onceproxy_store_delayed_write_rate_bytes") == 7);
  CHECK(shown.at("onceproxy_store_background_errors") == 8);
  CHECK(shown.at("onceproxy_store_memtable_bytes") == 9);
  CHECK(shown.at("onceproxy_store_compaction_pending_bytes") == 10);
  CHECK(shown.at("onceproxy_store_compactions_running") == 11);
  CHECK(shown.at("onceproxy_store_block_cache_bytes") == 12);
  CHECK(shown.at("onceproxy_store_blob_bytes") == 13);
  CHECK(shown.at("onceproxy_audit_bytes") == 6);
  CHECK(shown.at("onceproxy_audit_dropped_total") == 14);
  store.stats.healthy = false;
  CHECK(shown.at(R"(onceproxy_store_records{state="all"})") == 2);
  store.stats.records.known = true;
  store.stats.records.reserved = 21;
  store.stats.records.completed = 22;
  store.stats.records.unknown = 23;
  store.stats.clock.doubted = true;
  store.stats.prepared_log = true;
  store.figures.writes_stopped = true;
  const Exposition ill(metrics.exposition());
  CHECK(ill.at("onceproxy_store_healthy") == 0);
  CHECK(ill.at("onceproxy_store_clock_doubted") == 1);
  CHECK(ill.at("onceproxy_store_prepared_log") == 1);
  CHECK(ill.at(R"(onceproxy_store_records{state="reserved"})") == 21);
  CHECK(ill.at(R"(onceproxy_store_records{state="completed"})") == 22);
  CHECK(ill.at(R"(onceproxy_store_records{state="unknown"})") == 23);
  CHECK(ill.at("onceproxy_store_writes_stopped") == 1);
}

TEST_CASE("the store's side is counted from any thread") {
  Metrics metrics("1");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        metrics.store_commit(1ms, 64);
        metrics.store_error("write");
        metrics.permit_dropped();
        metrics.access_log_dropped(2);
        metrics.spans_exported(3);
        metrics.spans_dropped(4);
      }
    });
  for (std::thread& thread : threads) thread.join();
  const Exposition shown(metrics.exposition());
  CHECK(shown.at("onceproxy_store_commit_duration_seconds_count") == 4000);
  CHECK(shown.at(R"(onceproxy_store_batch_size_bucket{le="32"})") == 0);
  CHECK(shown.at(R"(onceproxy_store_batch_size_bucket{le="64"})") == 4000);
  CHECK(shown.at(R"(onceproxy_store_errors_total{operation="write"})") == 4000);
  CHECK(shown.at("onceproxy_permits_dropped_total") == 4000);
  CHECK(shown.at("onceproxy_access_log_dropped_total") == 8000);
  CHECK(shown.at("onceproxy_spans_exported_total") == 12000);
  CHECK(shown.at("onceproxy_spans_dropped_total") == 16000);
}

TEST_CASE("the store's gauges are read at each scrape, and their failure hides nothing else") {
  Metrics metrics("1");
  CHECK_FALSE(Exposition(metrics.exposition()).mentions("onceproxy_store_bytes"));
  StoreGauges::RocksDb store;
  store.stats.bytes = 1;
  store.stats.records_estimate = 7;
  metrics.store_gauges([&] {
    ++store.stats.bytes;
    return StoreGauges{store};
  });
  CHECK(Exposition(metrics.exposition()).at("onceproxy_store_bytes") == 2);
  const Exposition second(metrics.exposition());
  CHECK(second.at("onceproxy_store_bytes") == 3);
  CHECK(second.at(R"(onceproxy_store_records{state="all"})") == 7);
  metrics.store_gauges([]() -> StoreGauges { throw std::runtime_error("closed"); });
  const Exposition failed(metrics.exposition());
  CHECK_FALSE(failed.mentions("onceproxy_store_bytes"));
  CHECK(failed.mentions("onceproxy_requests_total"));
}

}  // namespace
}  // namespace onceproxy::telemetry
