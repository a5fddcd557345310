#include "proxy/opened_store.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "proxy/options.hpp"
#include "proxy/store_telemetry.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/rocksdb/rocksdb_store.hpp"

namespace onceproxy {
namespace {

class OpenedRocksDb final : public OpenedStore {
 public:
  OpenedRocksDb(const store::RocksDbOptions& options, store::Clock& clock,
                telemetry::Metrics& metrics)
      : options_(options),
        store_(store::RocksDbStore::open(options_, clock, store_observer(metrics))) {}

  store::Store& verbs() override { return *store_; }
  store::Inspection& inspection() override { return store_->inspection(); }
  store::RocksDbStore* embedded() override { return store_.get(); }
  telemetry::StoreGauges gauges() const override {
    telemetry::StoreGauges out;
    out.backend = telemetry::StoreGauges::RocksDb{store_->stats(), store_->figures()};
    return out;
  }
  std::string trouble() const override {
    if (store_->stats().healthy) return "";
    const std::string why = store_->failure();
    return "the store failed and is being reopened" + (why.empty() ? "" : ": " + why);
  }
  std::string note() const override;
  std::string place() const override { return options_.path.native(); }
  void close() override { store_->close(); }

 private:
  const store::RocksDbOptions options_;
  const std::unique_ptr<store::RocksDbStore> store_;
};

std::string OpenedRocksDb::note() const {
  const store::ClockStanding clock = store_->stats().clock;
  if (!clock.doubted) return {};
  const auto apart = std::chrono::duration_cast<std::chrono::seconds>(clock.wall_ahead).count();
  return "clock in doubt: the wall clock is " + std::to_string(std::abs(apart)) + " s " +
         (apart < 0 ? "behind" : "ahead of") +
         " the store's time; nothing that has expired is purged";
}

class OpenedPostgres final : public OpenedStore {
 public:
  OpenedPostgres(const store::PostgresOptions& options, std::size_t workers,
                 const store::Clock& clock, telemetry::Metrics& metrics)
      : options_(options),
        store_(store::PostgresStore::open(options_, workers, clock, postgres_observer(metrics))) {}

  store::Store& verbs() override { return *store_; }
  store::Inspection& inspection() override { return store_->inspection(); }
  telemetry::StoreGauges gauges() const override {
    telemetry::StoreGauges out;
    out.backend = store_->stats();
    return out;
  }
  std::string trouble() const override {
    const std::string why = store_->failure();
    return why.empty() ? "" : "the store's database cannot be used: " + why;
  }
  std::string note() const override { return {}; }
  std::string place() const override { return "PostgreSQL, schema " + options_.schema; }
  void close() override { store_->close(); }

 private:
  const store::PostgresOptions options_;
  const std::unique_ptr<store::PostgresStore> store_;
};

}  // namespace

std::unique_ptr<OpenedStore> open_store(const config::Settings& settings, const RunOptions& options,
                                        std::size_t workers, store::Clock& clock,
                                        telemetry::Metrics& metrics) {
  if (settings.postgres) {
    // Deliveries have a loop of their own, which gets a share of the connections.
    const bool delivers = std::ranges::any_of(
        settings.policies,
        [](const policies::Policy& policy) { return policy.delivery != nullptr; });
    return std::make_unique<OpenedPostgres>(postgres_options(settings),
                                            workers + (delivers ? 1 : 0), clock, metrics);
  }
  store::RocksDbOptions rocksdb = store_options(settings);
  rocksdb.accept_wal_loss = options.accept_wal_loss;
  rocksdb.accept_clock = options.accept_clock;
  return std::make_unique<OpenedRocksDb>(rocksdb, clock, metrics);
}

}  // namespace onceproxy
