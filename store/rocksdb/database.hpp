// Database: the RocksDB underneath: its options, opening it with errors an operator can act on,
// and reopening it after a failure. It knows column families and bytes, not what they mean.
//
// Thread-safety: get(), reclaim(), records_estimate() and figures() from any thread, during a
// reopen too (they then find it closed). Everything else belongs to one thread, the committer's
// once it runs. The directory is locked from open() to close() (directory_lock.hpp).
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/rocksdb/database_options.hpp"
#include "store/rocksdb/directory_lock.hpp"
#include "store/rocksdb/log_notes.hpp"
#include "store/rocksdb/observer.hpp"
#include "store/rocksdb/operation.hpp"
#include "store/rocksdb/options.hpp"
#include "store/rocksdb/stats.hpp"
#include "store/rocksdb/tuning.hpp"

namespace onceproxy::store {

class BackgroundFailures;
class GuardedFiles;

class Database {
 public:
  /// `options`, `clock` and `observer` must outlive it.
  Database(const RocksDbOptions& options, Tuning tuning, const Clock& clock,
           const RocksDbObserver& observer);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// At startup. Throws std::runtime_error that names the directory, the problem and the remedy.
  void open();
  /// True when open() had to drop a part of the write-ahead log.
  bool lost_wal() const { return lost_wal_; }

  /// The log is written over prepared space, if the file system can.
  bool prepares_log() const { return internals_.prepared_log; }

  /// What was read, pinned: while it lives the database cannot be closed. Keep it short.
  class Found {
   public:
    bool failed() const { return !status_.ok() && !status_.IsNotFound(); }
    bool present() const { return status_.ok(); }
    std::string_view value() const { return {value_.data(), value_.size()}; }
    std::string error() const { return status_.ToString(); }

   private:
    friend class Database;
    std::shared_lock<std::shared_mutex> lock_;  // released after value_
    rocksdb::PinnableSlice value_;
    rocksdb::Status status_;
  };
  /// Fills `found`. Failed if the database is closed.
  void get(Family family, std::string_view key, Found& found) const;

  /// Calls `visit` with key and value of what lies behind `after` (empty: from the first), in order
  /// of keys, until it says false. The database cannot be closed meanwhile. The first call sorts
  /// what is in memory: tens of milliseconds if that is much.
  /// Only what lies before `until`, if that is given.
  rocksdb::Status scan(
      Family family, std::string_view after,
      const std::function<bool(std::string_view key, std::string_view value)>& visit,
      std::string_view until = {}) const;

  void add(rocksdb::WriteBatch& batch, Family family, std::string_view key,
           const std::optional<std::string>& value) const;
  /// With `sync: all` always synced: prepared_log.hpp builds on that. An error leaves it open
  /// whether the batch is on disk.
  /// If it may not wait, and would have to, for compactions: nothing is written, and the status
  /// is Incomplete.
  rocksdb::Status write(rocksdb::WriteBatch& batch, bool sync, bool may_wait = true);

  /// A flush or compaction failed since the last open; RocksDB accepts no or few writes more.
  bool background_failed() const;

  /// What is missing of the directory: it, or the first file in it that is gone or was replaced.
  /// What was promised would not be found by the next start, so nothing may be promised any more.
  /// A system call for each file.
  std::optional<std::string> missing() const;

  /// Closes, dropping what RocksDB holds in memory beside the log, and opens again. Never makes a
  /// new database: one that is not there any more may come back. While missing() says something it
  /// does nothing but fail.
  rocksdb::Status reopen();
  /// Syncs the log, writes the memtables, closes. Idempotent. Writes nothing if something is
  /// missing.
  void close();

  /// Writes the memtables down, while others write on. So snapshot() has little left to do.
  rocksdb::Status flush() const;
  /// Everything that was written, in tables, with hard links to them in `to`, which is on the
  /// directory's file system. By who may write: nothing is written meanwhile. Throws as backup.hpp
  /// does.
  void snapshot(const std::filesystem::path& to);
  /// Removes what a crash left of a snapshot.
  void remove_staging() const;

  /// Rewrites everything but what has expired. Minutes for gigabytes; ends soon after `stop`.
  rocksdb::Status reclaim(std::atomic<bool>& stop) const;
  std::uint64_t records_estimate() const;
  /// What RocksDB tells of itself; nothing but zeros while it is closed.
  RocksDbFigures figures() const;

 private:
  void prepare_directory();
  void lock_directory();
  void refuse_without_current() const;
  rocksdb::Status open_checked(bool create);
  rocksdb::Status try_open(rocksdb::WALRecoveryMode mode, bool create);
  std::optional<std::string> cut_log() const;
  void forget_missing_logs();
  [[noreturn]] void explain(const rocksdb::Status& status) const;
  std::optional<std::uint64_t> oldest_log_needed() const;
  bool log_is_the_corrupt_part() const;
  void forget_handles();
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }

  const RocksDbOptions& options_;
  const Tuning tuning_;
  const RocksDbObserver& observer_;
  const std::shared_ptr<BackgroundFailures> background_;
  DirectoryLock directory_;
  LogNotes log_notes_;
  const Internals internals_;
  const std::shared_ptr<GuardedFiles> files_;
  const std::unique_ptr<rocksdb::Env> environment_;
  const rocksdb::Options database_options_;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families_;
  bool lost_wal_ = false;
  bool write_failed_ = false;  // since the last open

  /// Held shared by readers, exclusively while the database is replaced.
  mutable std::shared_mutex mutex_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

}  // namespace onceproxy::store
