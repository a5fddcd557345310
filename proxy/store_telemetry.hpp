// What the store tells of itself, for the log and the metrics: events as they come, and figures
// at each scrape. The store knows neither. Thread-safe.
#pragma once

#include "proxy/telemetry/metrics.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/rocksdb/rocksdb_store.hpp"

namespace onceproxy {

/// `metrics` outlives the store.
store::RocksDbObserver store_observer(telemetry::Metrics& metrics);
store::PostgresObserver postgres_observer(telemetry::Metrics& metrics);

/// `limits` are what the store was opened with.
telemetry::StoreGauges store_gauges(const store::RocksDbStore& store,
                                    const store::RocksDbOptions& limits);
telemetry::StoreGauges store_gauges(const store::PostgresStore& store,
                                    const store::PostgresOptions& limits);

}  // namespace onceproxy
