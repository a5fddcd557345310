// The write-ahead logs that should be there, at a start and at a reopening.
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "store/rocksdb/database.hpp"

namespace onceproxy::store {
namespace {

/// As RocksDB names it.
std::string file_name(std::uint64_t log) {
  std::string digits = std::to_string(log);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return digits + ".log";
}

}  // namespace

/// What is wrong with the first log that is shorter than it was, or gone though it is needed.
std::optional<std::string> Database::cut_log() const {
  for (const auto& [log, note] : log_notes_.all()) {
    const std::string name = file_name(log);
    struct stat status {};
    if (::stat((options_.path / name).c_str(), &status) == 0) {
      const auto size = static_cast<std::uint64_t>(status.st_size);
      if (size >= note.bytes) continue;
      return name + " was cut: it has " + std::to_string(size) + " of " +
             std::to_string(note.bytes) + " bytes";
    }
    // One whose records are all in tables may have gone without its note: with a version that makes
    // none, or from a copy that was made meanwhile.
    const auto oldest = oldest_log_needed();
    if (oldest && log >= *oldest) return name + " is gone, and held records that are nowhere else";
  }
  return std::nullopt;
}

void Database::forget_missing_logs() {
  for (const auto& [log, note] : log_notes_.all()) {
    if (!std::filesystem::exists(options_.path / file_name(log))) log_notes_.forget(log);
  }
}

/// The number that the manifest gives, read without changing anything, whatever the logs are like.
/// Nothing if the database cannot be opened even so.
std::optional<std::uint64_t> Database::oldest_log_needed() const {
  rocksdb::Options options = database_options_;
  options.create_if_missing = false;
  options.listeners.clear();
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  // Those that are there: a directory of an earlier version has fewer, and read-only makes none.
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(options, options_.path.string(), &names);
  if (!status.ok()) return std::nullopt;
  auto families = families_;
  std::erase_if(families, [&](const rocksdb::ColumnFamilyDescriptor& family) {
    return std::find(names.begin(), names.end(), family.name) == names.end();
  });
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  status = rocksdb::DB::OpenForReadOnly(options, options_.path.string(), families, &handles, &db);
  const std::unique_ptr<rocksdb::DB> owner(db);
  if (!status.ok()) return std::nullopt;
  std::uint64_t oldest = 0;
  owner->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &oldest);
  for (auto* const handle : handles) owner->DestroyColumnFamilyHandle(handle);
  return oldest;
}

bool Database::log_is_the_corrupt_part() const {
  return oldest_log_needed().has_value();
}

}  // namespace onceproxy::store
