// The observers of the stores, which write their events to the log and count them in the metrics.
// The stores depend on neither. Thread-safe.
#pragma once

#include "proxy/telemetry/metrics.hpp"
#include "store/postgres/observer.hpp"
#include "store/rocksdb/observer.hpp"

namespace onceproxy {

/// `metrics` must outlive the store.
store::RocksDbObserver store_observer(telemetry::Metrics& metrics);
store::PostgresObserver postgres_observer(telemetry::Metrics& metrics);

}  // namespace onceproxy
