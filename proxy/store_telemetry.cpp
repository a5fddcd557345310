#include "proxy/store_telemetry.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

using telemetry::LogLevel;

store::RocksDbObserver store_observer(telemetry::Metrics& metrics) {
  store::RocksDbObserver observer;
  observer.committed = [&metrics](std::chrono::nanoseconds duration, std::size_t operations) {
    metrics.store_commit(duration, operations);
  };
  observer.failed = [&metrics](std::string_view operation, std::string_view detail) {
    metrics.store_error(operation);
    telemetry::log(LogLevel::error, "store error", {{"operation", operation}, {"error", detail}});
  };
  observer.permit_dropped = [&metrics] {
    metrics.permit_dropped();
    telemetry::log(LogLevel::error, "permit dropped",
                   {{"error", "a reservation was left to its lease"}});
  };
  observer.event = [](std::string_view what) { telemetry::log(LogLevel::warn, what); };
  return observer;
}

store::PostgresObserver postgres_observer(telemetry::Metrics& metrics) {
  store::PostgresObserver observer;
  observer.committed = [&metrics](std::chrono::nanoseconds duration) {
    metrics.store_commit(duration, 1);
  };
  observer.failed = [&metrics](std::string_view kind) { metrics.store_error(kind); };
  observer.trouble = [](std::string_view kind, std::string_view detail) {
    telemetry::log(LogLevel::error, "store error", {{"operation", kind}, {"error", detail}});
  };
  observer.permit_dropped = [&metrics] {
    metrics.permit_dropped();
    telemetry::log(LogLevel::error, "permit dropped",
                   {{"error", "a reservation was left to its lease"}});
  };
  observer.event = [](std::string_view what) { telemetry::log(LogLevel::warn, what); };
  return observer;
}

namespace {

void add_counts(telemetry::StoreGauges& gauges, const store::RecordCounts& records) {
  gauges.records_counted = records.known;
  gauges.records_reserved = records.reserved;
  gauges.records_completed = records.completed;
  gauges.records_unknown = records.unknown;
  for (const store::UnknownRecords& unknown : records.unknown_by_policy) {
    gauges.unknown_by_policy.push_back({unknown.policy, unknown.hold, unknown.count,
                                        std::chrono::duration<double>(unknown.oldest).count()});
  }
}

}  // namespace

telemetry::StoreGauges store_gauges(const store::PostgresStore& store,
                                    const store::PostgresOptions& limits) {
  const store::PostgresStats stats = store.stats();
  telemetry::StoreGauges gauges;
  gauges.bytes = stats.table_bytes;
  gauges.records_estimate = stats.records_estimate;
  add_counts(gauges, stats.records);
  gauges.reservations = stats.reservations_active;
  gauges.reservations_max = limits.pending_max;
  gauges.waiting = stats.calls_waiting;
  gauges.waiting_max = stats.calls_waiting_max;
  gauges.waiting_bytes = stats.waiting_bytes;
  gauges.waiting_bytes_max = stats.waiting_bytes_max;
  gauges.healthy = stats.healthy;
  gauges.audit_bytes = stats.audit_bytes;
  gauges.audit_dropped = stats.audit_dropped;
  gauges.postgres = telemetry::PostgresGauges{stats.circuit_open,
                                              stats.hears,
                                              stats.connections,
                                              stats.connections_max,
                                              stats.queued,
                                              stats.queued_max,
                                              stats.cache_bytes,
                                              stats.cache_bytes_max,
                                              stats.retained,
                                              stats.round_trips,
                                              stats.connects,
                                              stats.connect_failures,
                                              stats.retries_connection,
                                              stats.retries_conflict,
                                              stats.retries_deadlock,
                                              stats.retries_shutdown,
                                              stats.timeouts,
                                              stats.replication_waits,
                                              stats.replication_unconfirmed,
                                              stats.cache_hits,
                                              stats.notifications,
                                              stats.leases_lost};
  return gauges;
}

telemetry::StoreGauges store_gauges(const store::RocksDbStore& store,
                                    const store::RocksDbOptions& limits) {
  const store::RocksDbStats stats = store.stats();
  const store::RocksDbFigures figures = store.figures();
  telemetry::StoreGauges gauges;
  gauges.bytes = stats.bytes;
  gauges.bytes_max = limits.bytes_max;
  gauges.records_estimate = stats.records_estimate;
  add_counts(gauges, stats.records);
  gauges.reservations = stats.reservations_active;
  gauges.reservations_max = limits.pending_max;
  gauges.waiting = stats.calls_waiting;
  gauges.waiting_max = stats.calls_waiting_max;
  gauges.waiting_bytes = stats.waiting_bytes;
  gauges.waiting_bytes_max = stats.waiting_bytes_max;
  gauges.healthy = stats.healthy;
  gauges.clock_offset_seconds = std::chrono::duration<double>(stats.clock.wall_ahead).count();
  gauges.clock_doubted = stats.clock.doubted;
  gauges.prepared_log = stats.prepared_log;
  gauges.audit_bytes = stats.audit_bytes;
  gauges.audit_dropped = stats.audit_dropped;
  gauges.writes_stopped = figures.writes_stopped;
  gauges.delayed_write_rate = figures.delayed_write_rate;
  gauges.background_errors = figures.background_errors;
  gauges.memtable_bytes = figures.memtable_bytes;
  gauges.compaction_pending_bytes = figures.compaction_pending_bytes;
  gauges.compactions_running = figures.compactions_running;
  gauges.block_cache_bytes = figures.block_cache_bytes;
  gauges.blob_bytes = figures.blob_bytes;
  return gauges;
}

}  // namespace onceproxy
