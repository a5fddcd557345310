// Opening at startup: what can be wrong with a directory, told so that an operator can act on it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "store/database.hpp"

namespace onceproxy::store {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what,
                         const std::string& way_out) {
  throw std::runtime_error("store " + path.string() + ": " + what + "; " + way_out);
}

/// The process that holds the lock on RocksDB's LOCK file, or 0. Only for a file on which this
/// process holds no lock: closing it would give that up.
pid_t lock_holder(const std::filesystem::path& directory) {
  const int file = ::open((directory / "LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return 0;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool told = ::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(file);
  return told ? lock.l_pid : 0;
}

/// 0, or the errno that creating a file ends with. Being allowed to is not enough: the file system
/// may be mounted read-only, or be full.
int try_to_write(const std::filesystem::path& directory) {
  const std::string probe = directory / ".write-probe";
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  ::close(file);
  ::unlink(probe.c_str());
  return 0;
}

}  // namespace

void Database::prepare_directory() const {
  const std::filesystem::path& path = options_.path;
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) {
    refuse(path, "not a directory", "set store.rocksdb.path to a directory");
  }
  std::filesystem::create_directories(path, error);
  if (error) {
    refuse(path, "cannot be created (" + error.message() + ")",
           "create it, or let this user write to its parent");
  }
  if (const int number = try_to_write(path); number != 0) {
    const std::string reason = std::strerror(number);
    if (number == EROFS) {
      refuse(path, "read-only (" + reason + ")", "mount it writable or choose another path");
    }
    if (number == ENOSPC || number == EDQUOT) {
      refuse(path, "the disk is full (" + reason + ")", "free some space");
    }
    refuse(path, "not writable (" + reason + ")", "let this user write to it");
  }
}

bool Database::log_is_the_corrupt_part() const {
  rocksdb::Options options = database_options_;
  options.create_if_missing = false;
  options.listeners.clear();
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  // Those that are there: a directory of an earlier version has fewer, and read-only makes none.
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(options, options_.path.string(), &names);
  if (!status.ok()) return false;
  auto families = families_;
  std::erase_if(families, [&](const rocksdb::ColumnFamilyDescriptor& family) {
    return std::find(names.begin(), names.end(), family.name) == names.end();
  });
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  status = rocksdb::DB::OpenForReadOnly(options, options_.path.string(), families, &handles, &db);
  if (!status.ok()) return false;
  for (rocksdb::ColumnFamilyHandle* const handle : handles) db->DestroyColumnFamilyHandle(handle);
  delete db;
  return true;
}

void Database::explain(const rocksdb::Status& status) const {
  const std::filesystem::path& path = options_.path;
  const std::string reason = status.ToString();
  if (status.IsIOError() && reason.find("lock hold by current process") != std::string::npos) {
    refuse(path, "in use by this process already", "give every store a directory of its own");
  }
  if (status.IsIOError() && reason.find("lock") != std::string::npos) {
    const pid_t holder = lock_holder(path);
    refuse(path,
           "in use by another process" + (holder > 0 ? " (" + std::to_string(holder) + ")" : ""),
           "stop that process or choose another path");
  }
  if (status.IsNoSpace() || reason.find("No space left") != std::string::npos) {
    refuse(path, "the disk is full (" + reason + ")", "free some space");
  }
  if (status.IsCorruption() && log_is_the_corrupt_part()) {
    refuse(path, "the write-ahead log is corrupt (" + reason + ")",
           "restore the directory from a copy, or start with --accept-wal-loss to drop what "
           "cannot be read: operations that were acknowledged may then run again");
  }
  if (status.IsCorruption()) {
    refuse(path, "the database is corrupt (" + reason + ")",
           "restore the directory from a copy, or move it away to start empty: every operation "
           "may then run again");
  }
  refuse(path, "cannot be opened (" + reason + ")", "see the reason given");
}

void Database::open() {
  prepare_directory();
  rocksdb::Status status = try_open(rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  if (status.IsCorruption() && options_.accept_wal_loss && log_is_the_corrupt_part()) {
    // Every record stands for itself: what lies behind the damage is as good as what lies before,
    // and each kept record is an operation that does not run again.
    status = try_open(rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords);
    lost_wal_ = status.ok();
    if (lost_wal_ && observer_.event) {
      observer_.event("recovery: a corrupt part of the write-ahead log was dropped");
    }
  }
  if (!status.ok()) explain(status);
}

}  // namespace onceproxy::store
