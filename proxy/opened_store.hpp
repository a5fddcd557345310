// OpenedStore: the store that the configuration names, opened, and what the program asks of it
// beside the verbs: how it does, for the readiness check, the log and the metrics.
// Thread-safe, but for its end.
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
  /// The store in this process; null where it is a database.
  virtual store::RocksDbStore* embedded() { return nullptr; }
  virtual telemetry::StoreGauges gauges() const = 0;
  /// Why it can promise nothing now; empty where it can.
  virtual std::string trouble() const = 0;
  /// Something an operator should know although it works; empty where there is nothing.
  virtual std::string note() const = 0;
  /// Where it is, for the log.
  virtual std::string place() const = 0;
  /// As the stores' own close().
  virtual void close() = 0;
};

/// Throws std::exception with a message for an operator where it cannot be opened. `workers`: how
/// many loops will use it. `clock` and `metrics` outlive it.
std::unique_ptr<OpenedStore> open_store(const config::Settings& settings, const RunOptions& options,
                                        std::size_t workers, store::Clock& clock,
                                        telemetry::Metrics& metrics);

}  // namespace onceproxy
