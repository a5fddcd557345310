// Opening at startup: what can be wrong with a directory, reported so that an operator can act on
// it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "store/private_files.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/library.hpp"
#include "store/rocksdb/restore.hpp"

namespace onceproxy::store {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what,
                         const std::string& way_out) {
  throw std::runtime_error("store " + path.string() + ": " + what + "; " + way_out);
}

[[noreturn]] void refuse_in_use(const std::filesystem::path& path, DirectoryLock::Holder holder) {
  if (holder.is_this_process) {
    refuse(path, "in use by this process already", "give every store a directory of its own");
  }
  const std::string process =
      holder.process > 0 ? " (" + std::to_string(holder.process) + ")" : std::string();
  refuse(path, "in use by another process" + process, "stop that process or choose another path");
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

/// What the directory has and this program does not know, as a later version makes it; empty if
/// there is nothing, or if this cannot be read.
std::string unknown_families(const rocksdb::Options& options, const std::filesystem::path& path,
                             const std::vector<rocksdb::ColumnFamilyDescriptor>& known) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(options, path.string(), &names).ok()) return {};
  std::string out;
  for (const std::string& name : names) {
    const auto same = [&](const auto& family) { return family.name == name; };
    if (std::any_of(known.begin(), known.end(), same)) continue;
    out += (out.empty() ? "\"" : ", \"") + name + "\"";
  }
  return out;
}

}  // namespace

void Database::lock_directory() {
  std::optional<DirectoryLock::Holder> holder;
  try {
    holder = directory_.take();
  } catch (const std::system_error& error) {
    refuse(options_.path, "cannot be opened (" + error.code().message() + ")",
           "let this user read and write it");
  }
  if (holder) refuse_in_use(options_.path, *holder);
}

/// RocksDB would make a new database there, and remove what is left of the old one. Before CURRENT
/// is on disk there is nothing but IDENTITY and the first MANIFEST beside it.
void Database::refuse_without_current() const {
  const std::filesystem::path& path = options_.path;
  if (std::filesystem::exists(path / "CURRENT")) return;
  if (std::filesystem::exists(path / restored_name)) {
    refuse(path, "a restore was not finished",
           "restore the backup again with --force, or move the directory away to start empty: "
           "every operation may then run again");
  }
  for (const auto& file : std::filesystem::directory_iterator(path)) {
    const std::string name = file.path().filename().string();
    const bool later = name.ends_with(".sst") || name.ends_with(".blob") ||
                       name.ends_with(".log") || name == LogNotes::name ||
                       (name.starts_with("MANIFEST-") && name != "MANIFEST-000001");
    if (!later) continue;
    refuse(path, "the database is corrupt (CURRENT is gone, and " + name + " is still there)",
           "restore the directory from a copy, or move it away to start empty: every operation "
           "may then run again");
  }
}

void Database::prepare_directory() {
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
  lock_directory();
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
  make_private(path, {[this](std::string_view detail) {
                        if (observer_.failed) observer_.failed("permissions", detail);
                      },
                      [this](std::string_view detail) {
                        if (observer_.event) observer_.event(detail);
                      }});
  refuse_without_current();
}

void Database::explain(const rocksdb::Status& status) const {
  const std::filesystem::path& path = options_.path;
  const std::string reason = status.ToString();
  // The directory's lock is ours: this is a process that knows only RocksDB's, on LOCK.
  if (status.IsIOError() && reason.find("lock") != std::string::npos) refuse_in_use(path, {});
  if (status.IsInvalidArgument()) {
    const std::string unknown = unknown_families(database_options_, path, families_);
    if (!unknown.empty()) {
      refuse(
          path,
          "written by a later version (it has " + unknown + ", which this program does not know)",
          "use that version, or restore the backup from before the upgrade");
    }
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
  refuse(path, "cannot be opened (" + reason + ")", "correct the problem that RocksDB reports");
}

rocksdb::Status Database::open_checked(bool create) {
  if (const auto problem = cut_log()) return rocksdb::Status::Corruption(*problem);
  return try_open(rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords, create);
}

void Database::open() {
  prepare_directory();
  if (!internals_.known && observer_.event) {
    observer_.event("RocksDB " + tuning_.library_series +
                    " is loaded, and onceproxy is tested with " +
                    std::string(rocksdb_series_tested) +
                    ": the store uses RocksDB's own write-ahead log and memtable, which is slower");
  }
  remove_staging();
  try {
    log_notes_.read();
  } catch (const std::system_error& error) {
    refuse(options_.path, std::string("cannot read ") + error.what(), "see the reason given");
  }
  rocksdb::Status status = open_checked(true);
  if (status.IsCorruption() && options_.accept_wal_loss && log_is_the_corrupt_part()) {
    // Every record stands for itself: what lies behind the damage is as good as what lies before,
    // and each kept record is an operation that does not run again.
    status = try_open(rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords, true);
    lost_wal_ = status.ok();
    if (lost_wal_ && observer_.event) {
      observer_.event("recovery: a corrupt part of the write-ahead log was dropped");
    }
  }
  if (!status.ok()) explain(status);
  forget_missing_logs();
}

}  // namespace onceproxy::store
