// Backups: makes backups of the store while the program runs, one at a time, on a thread of its
// own. Each end is logged; a failure is counted as an error of the store.
// Thread-safe, but for stop().
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "proxy/admin/backup_endpoints.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/rocksdb/rocksdb_store.hpp"

namespace onceproxy {

class Backups {
 public:
  /// `path`: the store's directory, which says when the last backup was made. The others outlive
  /// it.
  Backups(store::RocksDbStore& store, const std::filesystem::path& path,
          telemetry::Metrics& metrics);
  ~Backups() { stop(); }
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  /// False where one is being made, or the program ends.
  bool begin(const std::string& directory);
  admin::BackupState state() const;
  /// Seconds since 1970, also of one that an earlier process made; 0: never.
  double last_success() const { return last_success_.load(std::memory_order_relaxed); }

  /// Ends the one that is being made, which fails. Idempotent; before the store is closed.
  void stop();

 private:
  void make(const std::string& directory);
  void end(admin::BackupState::Phase phase, const std::string& error,
           const store::BackupContents& contents);

  store::RocksDbStore& store_;
  telemetry::Metrics& metrics_;
  std::atomic<bool> stop_{false};
  std::atomic<double> last_success_{0};
  mutable std::mutex mutex_;
  admin::BackupState state_;
  std::thread thread_;
};

}  // namespace onceproxy
