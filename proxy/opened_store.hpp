// OpenedStore: the opened store of the configuration, and its state for the readiness check, the
// log and the metrics. Thread-safe, except for close().
#pragma once

#include <memory>
#include <string>

#include "config/settings.hpp"
#include "proxy/app.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/clock.hpp"
#include "store/inspection.hpp"
#include "store/store.hpp"

namespace onceproxy::store {
class RocksDbStore;
}

namespace onceproxy {

class OpenedStore {
 public:
  virtual ~OpenedStore() = default;

  virtual store::Store& verbs() = 0;
  virtual store::Inspection& inspection() = 0;
  /// The store in this process; nullptr if it is a database.
  virtual store::RocksDbStore* embedded() { return nullptr; }
  virtual telemetry::StoreGauges gauges() const = 0;
  /// The reason why it cannot accept operations now; empty if it can.
  virtual std::string trouble() const = 0;
  /// A message for operators although the store works; empty if there is none.
  virtual std::string note() const = 0;
  /// Its location, for the log.
  virtual std::string place() const = 0;
  /// Like close() of the stores.
  virtual void close() = 0;
};

/// Throws an exception with a message for the operator if it cannot be opened. `workers`: the
/// number of loops that will use it. `clock` and `metrics` must outlive it.
std::unique_ptr<OpenedStore> open_store(const config::Settings& settings, const RunOptions& options,
                                        std::size_t workers, store::Clock& clock,
                                        telemetry::Metrics& metrics);

}  // namespace onceproxy
