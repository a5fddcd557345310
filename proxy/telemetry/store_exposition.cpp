#include "proxy/telemetry/store_exposition.hpp"

#include <map>
#include <string_view>
#include <utility>

#include "proxy/telemetry/family.hpp"
#include "proxy/telemetry/postgres_exposition.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

/// Of every policy, whether there are any or not, and of those that the store alone remembers.
void append_unknown(std::vector<MetricFamily>& families, const StoreGauges& store,
                    const std::vector<std::string>& policies) {
  Family records("onceproxy_unknown_records",
                 "Records whose outcome is unknown now, by what becomes of them: retry (the next "
                 "duplicate goes through) or hold (they wait for an operator).",
                 MetricType::Gauge);
  Family age("onceproxy_unknown_oldest_age_seconds",
             "For how long the first of them has been; 0 where there is none.", MetricType::Gauge);
  std::map<std::pair<std::string_view, bool>, UnknownGauge> all;
  for (const std::string& policy : policies) {
    if (policy.empty()) continue;
    for (const bool hold : {false, true}) all[{policy, hold}];
  }
  for (const UnknownGauge& one : store.unknown_by_policy) all[{one.policy, one.hold}] = one;
  for (const auto& [name, one] : all) {
    const Labels labels{{"policy", name.first}, {"then", name.second ? "hold" : "retry"}};
    records.add(labels, one.count);
    age.add(labels, one.oldest_age_seconds);
  }
  records.move_to(families);
  age.move_to(families);
}

void append_gauge(std::vector<MetricFamily>& families, const char* name, const char* help,
                  auto value) {
  Family family(name, help, MetricType::Gauge);
  family.add({}, value);
  family.move_to(families);
}

/// What RocksDB alone has: a clock and a log of its own, and files.
void append_rocksdb(std::vector<MetricFamily>& families, const StoreGauges& store) {
  const auto gauge = [&](const char* name, const char* help, auto value) {
    append_gauge(families, name, help, value);
  };
  gauge("onceproxy_store_clock_offset_seconds",
        "How far the wall clock is ahead of the store's time; below zero: behind.",
        store.clock_offset_seconds);
  gauge("onceproxy_store_clock_doubted",
        "1 while the wall clock is not believed and nothing that has expired is purged.",
        std::uint64_t{store.clock_doubted});
  gauge("onceproxy_store_backup_last_success_timestamp_seconds",
        "When the last backup was made; 0: never.", store.last_backup);
  gauge("onceproxy_store_prepared_log",
        "1 while the write-ahead log is written over prepared space (store.rocksdb.prepared_log).",
        std::uint64_t{store.prepared_log});
  gauge("onceproxy_store_bytes_limit", "Above it the store takes no new operation.",
        store.bytes_max);
  gauge("onceproxy_store_writes_stopped", "1 while RocksDB takes no write, since it is behind.",
        std::uint64_t{store.writes_stopped});
  gauge("onceproxy_store_delayed_write_rate_bytes",
        "Bytes a second that RocksDB takes while it is behind; 0 where as many as come.",
        store.delayed_write_rate);
  gauge("onceproxy_store_background_errors", "Flushes and compactions failed since it was opened.",
        store.background_errors);
  gauge("onceproxy_store_memtable_bytes", "Writes held in memory, not yet in files.",
        store.memtable_bytes);
  gauge("onceproxy_store_compaction_pending_bytes",
        "What compaction has yet to rewrite, estimated.", store.compaction_pending_bytes);
  gauge("onceproxy_store_compactions_running", "Compactions under way.", store.compactions_running);
  gauge("onceproxy_store_block_cache_bytes", "What is kept in memory for reading.",
        store.block_cache_bytes);
  gauge("onceproxy_store_blob_bytes", "Answers kept outside the tables.", store.blob_bytes);
}

void append_gauges(std::vector<MetricFamily>& families, const StoreGauges& store) {
  const auto gauge = [&](const char* name, const char* help, auto value) {
    append_gauge(families, name, help, value);
  };
  gauge("onceproxy_store_healthy", "0 while the store cannot promise anything.",
        std::uint64_t{store.healthy});
  gauge("onceproxy_store_bytes", "What the store takes on disk.", store.bytes);
  gauge("onceproxy_store_reservations", "Reservations under way, of all policies.",
        store.reservations);
  gauge("onceproxy_store_reservations_limit", "Above it the store takes no new operation.",
        store.reservations_max);
  gauge("onceproxy_store_waiting",
        "Requests that wait for another's outcome or their entity's turn.", store.waiting);
  gauge("onceproxy_store_waiting_limit", "Above it a request does not wait.", store.waiting_max);
  gauge("onceproxy_store_waiting_bytes", "What those that wait take in memory.",
        store.waiting_bytes);
  gauge("onceproxy_store_waiting_bytes_limit", "Above it a request does not wait.",
        store.waiting_bytes_max);
  gauge("onceproxy_audit_bytes", "What the audit log takes on disk.", store.audit_bytes);
  Family dropped("onceproxy_audit_dropped_total", "Entries that the audit log could not keep.",
                 MetricType::Counter);
  dropped.add({}, store.audit_dropped);
  dropped.move_to(families);
  Family records("onceproxy_store_records", "Records in the store, estimated.", MetricType::Gauge);
  if (store.records_counted) {
    records.add({{"state", "reserved"}}, store.records_reserved);
    records.add({{"state", "completed"}}, store.records_completed);
    records.add({{"state", "unknown"}}, store.records_unknown);
  } else {
    records.add({{"state", "all"}}, store.records_estimate);
  }
  records.move_to(families);
}

}  // namespace

void append_store(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family commit("onceproxy_store_commit_duration_seconds",
                "Time a batch of store operations took to become durable.", MetricType::Histogram);
  commit.add({}, snapshot.commit_time, true);
  commit.move_to(families);
  Family batch("onceproxy_store_batch_size", "Store operations in one batch.",
               MetricType::Histogram);
  batch.add({}, snapshot.batch_size, true);
  batch.move_to(families);
  Family errors("onceproxy_store_errors_total", "Store operations that failed.",
                MetricType::Counter);
  for (const auto& [operation, count] : snapshot.store_errors)
    errors.add({{"operation", operation}}, count);
  errors.move_to(families);
  if (!snapshot.store) return;
  append_gauges(families, *snapshot.store);
  if (snapshot.store->postgres) {
    append_postgres(families, *snapshot.store->postgres);
  } else {
    append_rocksdb(families, *snapshot.store);
  }
  append_unknown(families, *snapshot.store, snapshot.policies);
}

}  // namespace onceproxy::telemetry
