#include "proxy/telemetry/store_exposition.hpp"

#include <chrono>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include "proxy/telemetry/family.hpp"
#include "proxy/telemetry/postgres_exposition.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

/// Of every policy, whether there are any or not, and of those that the store alone remembers.
void append_unknown(std::vector<MetricFamily>& families, const store::RecordCounts& counts,
                    const std::vector<std::string>& policies) {
  Family records("onceproxy_unknown_records",
                 "Records with an unknown outcome, by what happens next: retry (the next duplicate "
                 "is forwarded) or hold (an operator decides).",
                 MetricType::Gauge);
  Family age("onceproxy_unknown_oldest_age_seconds",
             "Time since the oldest of these records became unknown; 0 if there is none.",
             MetricType::Gauge);
  std::map<std::pair<std::string_view, bool>, store::UnknownRecords> all;
  for (const std::string& policy : policies) {
    if (policy.empty()) continue;
    for (const bool hold : {false, true}) all[{policy, hold}];
  }
  for (const store::UnknownRecords& one : counts.unknown_by_policy) {
    all[{one.policy, one.hold}] = one;
  }
  for (const auto& [name, one] : all) {
    const Labels labels{{"policy", name.first}, {"then", name.second ? "hold" : "retry"}};
    records.add(labels, one.count);
    age.add(labels, std::chrono::duration<double>(one.oldest).count());
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
void append_rocksdb(std::vector<MetricFamily>& families, const StoreGauges::RocksDb& store,
                    double last_backup) {
  const auto& [stats, figures] = store;
  const auto gauge = [&](const char* name, const char* help, auto value) {
    append_gauge(families, name, help, value);
  };
  gauge("onceproxy_store_clock_offset_seconds",
        "How far the wall clock is ahead of the store's clock; negative if it is behind.",
        std::chrono::duration<double>(stats.clock.wall_ahead).count());
  gauge("onceproxy_store_clock_doubted",
        "1 while the wall clock is considered wrong and no expired record is removed.",
        std::uint64_t{stats.clock.doubted});
  gauge("onceproxy_store_backup_last_success_timestamp_seconds",
        "When the last backup was made, also before the start, in seconds since the epoch; 0 if none "
        "was ever made.",
        last_backup);
  gauge("onceproxy_store_prepared_log",
        "1 while the write-ahead log is written over preallocated space "
        "(store.rocksdb.prepared_log).",
        std::uint64_t{stats.prepared_log});
  gauge("onceproxy_store_bytes_limit", "Size above which the store accepts no new operation.",
        stats.bytes_max);
  gauge("onceproxy_store_writes_stopped",
        "1 while RocksDB accepts no writes because compaction is behind.",
        std::uint64_t{figures.writes_stopped});
  gauge("onceproxy_store_delayed_write_rate_bytes",
        "Bytes per second that RocksDB accepts while compaction is behind; 0 if there is no limit.",
        figures.delayed_write_rate);
  gauge("onceproxy_store_background_errors",
        "Flushes and compactions that failed since the store was opened.",
        figures.background_errors);
  gauge("onceproxy_store_memtable_bytes", "Writes in memory that are not in table files yet.",
        figures.memtable_bytes);
  gauge("onceproxy_store_compaction_pending_bytes",
        "Bytes that compaction still has to rewrite, estimated.", figures.compaction_pending_bytes);
  gauge("onceproxy_store_compactions_running", "Compactions under way.",
        figures.compactions_running);
  gauge("onceproxy_store_block_cache_bytes", "Memory that the block cache uses.",
        figures.block_cache_bytes);
  gauge("onceproxy_store_blob_bytes", "Size of the stored answers in blob files.",
        figures.blob_bytes);
}

void append_gauges(std::vector<MetricFamily>& families, const store::StoreStats& stats) {
  const auto gauge = [&](const char* name, const char* help, auto value) {
    append_gauge(families, name, help, value);
  };
  gauge("onceproxy_store_healthy", "1 while the store works; 0 while it has failed.",
        std::uint64_t{stats.healthy});
  gauge("onceproxy_store_bytes", "Size of the store on disk.", stats.bytes);
  gauge("onceproxy_store_reservations", "Reservations under way, of all policies.",
        stats.reservations_active);
  gauge("onceproxy_store_reservations_limit",
        "Number of reservations above which the store accepts no new operation.",
        stats.reservations_max);
  gauge("onceproxy_store_waiting",
        "Requests that wait for the outcome of another request or for the turn of their entity.",
        stats.calls_waiting);
  gauge("onceproxy_store_waiting_limit",
        "Number of waiting requests above which further requests do not wait.",
        stats.calls_waiting_max);
  gauge("onceproxy_store_waiting_bytes", "Memory held by the requests that wait.",
        stats.waiting_bytes);
  gauge("onceproxy_store_waiting_bytes_limit",
        "Memory of waiting requests above which further requests do not wait.",
        stats.waiting_bytes_max);
  gauge("onceproxy_audit_bytes", "Size of the audit log on disk.", stats.audit_bytes);
  Family dropped("onceproxy_audit_dropped_total", "Audit log entries that could not be written.",
                 MetricType::Counter);
  dropped.add({}, stats.audit_dropped);
  dropped.move_to(families);
  Family records("onceproxy_store_records", "Records in the store, estimated.", MetricType::Gauge);
  if (stats.records.known) {
    records.add({{"state", "reserved"}}, stats.records.reserved);
    records.add({{"state", "completed"}}, stats.records.completed);
    records.add({{"state", "unknown"}}, stats.records.unknown);
  } else {
    records.add({{"state", "all"}}, stats.records_estimate);
  }
  records.move_to(families);
}

}  // namespace

void append_store(std::vector<MetricFamily>& families, const Snapshot& snapshot) {
  Family commit("onceproxy_store_commit_duration_seconds",
                "Time until a batch of store operations was durable.", MetricType::Histogram);
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
  const StoreGauges& gauges = *snapshot.store;
  append_gauges(families, gauges.stats());
  if (const auto* const postgres = std::get_if<store::PostgresStats>(&gauges.backend)) {
    append_postgres(families, *postgres);
  } else {
    append_rocksdb(families, std::get<StoreGauges::RocksDb>(gauges.backend), gauges.last_backup);
  }
  append_unknown(families, gauges.stats().records, snapshot.policies);
}

const store::StoreStats& StoreGauges::stats() const {
  if (const auto* const postgres = std::get_if<store::PostgresStats>(&backend)) return *postgres;
  return std::get<RocksDb>(backend).stats;
}

}  // namespace onceproxy::telemetry
