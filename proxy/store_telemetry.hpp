// What the store tells of itself, for the log and the metrics: events as they come, and figures
// at each scrape. The store knows neither. Thread-safe.
#pragma once

#include "proxy/telemetry/metrics.hpp"
#include "store/rocksdb/rocksdb_store.hpp"

namespace onceproxy {

/// `metrics` outlives the store.
store::RocksDbObserver store_observer(telemetry::Metrics& metrics);

/// `limits` are what the store was opened with.
telemetry::StoreGauges store_gauges(const store::RocksDbStore& store,
                                    const store::RocksDbOptions& limits);

}  // namespace onceproxy
