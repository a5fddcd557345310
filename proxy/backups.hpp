// Backups: makes backups of the store while the program runs, one at a time, on a separate thread.
// The result of each is logged, and a failure is counted as an error of the store. Thread-safe,
// except for stop().
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
  /// `path`: the store's directory, which contains the time of the last backup. The other arguments
  /// must outlive it.
  Backups(store::RocksDbStore& store, const std::filesystem::path& path,
          telemetry::Metrics& metrics);
  ~Backups() { stop(); }
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  /// Returns false if a backup is being made, or if the program is ending.
  bool begin(const std::string& directory);
  admin::BackupState state() const;
  /// The time of the last successful backup in seconds since 1970, also of an earlier process; 0:
  /// never.
  double last_success() const { return last_success_.load(std::memory_order_relaxed); }

  /// Aborts the current backup, which then fails. Idempotent; called before the store is closed.
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
