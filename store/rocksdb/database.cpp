#include "store/rocksdb/database.hpp"

#include <mutex>
#include <utility>

#include "store/rocksdb/database_events.hpp"
#include "store/rocksdb/database_options.hpp"
#include "store/rocksdb/guarded_files.hpp"

namespace onceproxy::store {

Database::Database(const RocksDbOptions& options, Tuning tuning, const Clock& clock,
                   const RocksDbObserver& observer)
    : options_(options),
      tuning_(std::move(tuning)),
      observer_(observer),
      background_(std::make_shared<BackgroundFailures>(observer)),
      directory_(options.path),
      log_notes_(options.path),
      internals_(internals(options_, tuning_)),
      files_(guarded_files(internals_, directory_, log_notes_)),
      environment_(environment(files_, tuning_)),
      database_options_(database_options(options_, *environment_, background_,
                                         std::make_shared<DatabaseLog>(observer))),
      families_(family_descriptors(options_, tuning_, clock)) {}

Database::~Database() {
  close();
}

rocksdb::Status Database::try_open(rocksdb::WALRecoveryMode mode, bool create) {
  rocksdb::Options options = database_options_;
  options.wal_recovery_mode = mode;
  options.create_if_missing = create;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(options, options_.path.string(), families_, &handles, &db);
  if (!status.ok()) return status;
  const std::unique_lock lock(mutex_);
  db_.reset(db);
  handles_ = std::move(handles);
  return status;
}

void Database::get(Family family, std::string_view key, Found& found) const {
  found.lock_ = std::shared_lock(mutex_);
  if (!db_) {
    found.status_ = rocksdb::Status::Aborted("the database is being reopened");
    return;
  }
  found.status_ =
      db_->Get(rocksdb::ReadOptions(), handle(family), {key.data(), key.size()}, &found.value_);
}

rocksdb::Status Database::scan(
    Family family, std::string_view after,
    const std::function<bool(std::string_view key, std::string_view value)>& visit,
    std::string_view until) const {
  const std::shared_lock lock(mutex_);
  if (!db_) return rocksdb::Status::Aborted("the database is being reopened");
  rocksdb::ReadOptions options;
  // The memtable and the filters know whole keys only.
  options.total_order_seek = true;
  options.fill_cache = false;
  const rocksdb::Slice bound(until.data(), until.size());
  if (!until.empty()) options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, handle(family)));
  const rocksdb::Slice from(after.data(), after.size());
  it->Seek(from);
  if (it->Valid() && !after.empty() && it->key() == from) it->Next();
  for (; it->Valid(); it->Next()) {
    const rocksdb::Slice key = it->key();
    const rocksdb::Slice value = it->value();
    if (!visit({key.data(), key.size()}, {value.data(), value.size()})) break;
  }
  return it->status();
}

void Database::add(rocksdb::WriteBatch& batch, Family family, std::string_view key,
                   const std::optional<std::string>& value) const {
  const rocksdb::Slice slice(key.data(), key.size());
  if (value) {
    batch.Put(handle(family), slice, *value);
  } else {
    batch.Delete(handle(family), slice);
  }
}

rocksdb::Status Database::write(rocksdb::WriteBatch& batch, bool sync, bool may_wait) {
  rocksdb::WriteOptions options;
  options.no_slowdown = !may_wait;
  options.sync = sync || options_.sync == Sync::all;
  const rocksdb::Status status = db_->Write(options, &batch);
  const bool put_off = !may_wait && status.IsIncomplete();
  write_failed_ = write_failed_ || !(status.ok() || put_off);
  return status;
}

bool Database::background_failed() const {
  return background_->seen();
}

void Database::forget_handles() {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  {
    const std::unique_lock lock(mutex_);
    db = std::move(db_);
    handles = std::move(handles_);
    handles_.clear();
  }
  if (!db) return;
  // Without the lock: closing may wait a second for a failed flush, and readers must not.
  for (rocksdb::ColumnFamilyHandle* const handle : handles) db->DestroyColumnFamilyHandle(handle);
  const rocksdb::Status status = db->Close();
  if (!status.ok() && observer_.failed) observer_.failed("close", status.ToString());
}

std::optional<std::string> Database::missing() const {
  auto problem = files_->missing();
  return problem ? problem : log_notes_.problem();
}

rocksdb::Status Database::reopen() {
  if (const auto problem = missing()) return rocksdb::Status::IOError(*problem);
  forget_handles();
  background_->forget();
  write_failed_ = false;
  return open_checked(false);
}

void Database::close() {
  // A log whose write failed is not to be touched again; nothing in it was promised. And what is
  // written where something is missing would not be found again.
  if (db_ && !write_failed_ && !background_failed() && !missing()) {
    rocksdb::Status status = db_->FlushWAL(true);
    if (status.ok()) status = db_->Flush(rocksdb::FlushOptions(), handles_);
    if (!status.ok() && observer_.failed) observer_.failed("flush", status.ToString());
  }
  forget_handles();
  log_notes_.close();
  directory_.give_back();
}

rocksdb::Status Database::reclaim(std::atomic<bool>& stop) const {
  const std::shared_lock lock(mutex_);
  if (!db_) return rocksdb::Status::Aborted("the database is being reopened");
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.canceled = &stop;
  // All families, the small ones too: a memtable may be what keeps an old log alive.
  for (rocksdb::ColumnFamilyHandle* const family : handles_) {
    const rocksdb::Status status = db_->CompactRange(options, family, nullptr, nullptr);
    if (!status.ok()) return status;
  }
  return rocksdb::Status::OK();
}

std::uint64_t Database::records_estimate() const {
  const std::shared_lock lock(mutex_);
  std::uint64_t keys = 0;
  if (db_) db_->GetIntProperty(handle(Family::records), "rocksdb.estimate-num-keys", &keys);
  return keys;
}

}  // namespace onceproxy::store
