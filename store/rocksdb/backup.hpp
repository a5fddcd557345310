// A backup of the store: a directory that holds everything of it at one moment, for restore.hpp to
// make a store of again.
//
// It holds RocksDB's tables and blob files, its manifest and CURRENT, the audit log in audit/, and
// BACKUP, written last, which lists them. It holds no write-ahead log and no LOGS: the memtables
// are flushed first, while nothing is written, so everything is in tables. Tables never change, so
// on one file system they are hard links and take no space of their own until the store drops them.
//
//   BACKUP := "onceproxy backup 1\n" *( "file " bytes " " name "\n" ) "end " count "\n"
//
// `name` is relative to the directory. A directory without a whole BACKUP is no backup.
// Pure functions on files; errors are std::runtime_error with a message for an operator.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace onceproxy::store {

/// What a store consists of at one moment, as RocksDB lists it.
struct StoreFiles {
  /// Tables and blob files: never written again.
  std::vector<std::string> tables;
  /// What stands in `manifest` up to `manifest_bytes`, and OPTIONS files.
  std::string manifest;
  std::uint64_t manifest_bytes = 0;
  std::vector<std::string> options;
};

struct BackupContents {
  struct File {
    std::string name;
    std::uint64_t bytes;
  };
  std::vector<File> files;

  std::uint64_t bytes() const;
};

namespace backup {

inline constexpr const char* list_name = "BACKUP";
/// Where the tables are linked first when the backup is to be on another file system. In the
/// store's directory, and removed again; a start removes what a crash left.
inline constexpr const char* staging_name = ".backup";

/// Makes the directory, which must not exist or be empty, and must not be in the store.
void make_directory(const std::filesystem::path& directory, const std::filesystem::path& store);
/// Whether a file of the store can be linked there. Two directories of one device need not be
/// enough: a container's volumes are mounts of their own.
bool can_link(const std::filesystem::path& store, const std::filesystem::path& directory);

/// The database's files, with tables as hard links. Quick: to be called while RocksDB deletes
/// nothing and writes nothing. `to` exists, and links reach it.
void link_files(const std::filesystem::path& store, const StoreFiles& files,
                const std::filesystem::path& to);

/// What is in `from`, but for directories, copied to `to`. Ends with an error soon after `stop`.
void copy_files(const std::filesystem::path& from, const std::filesystem::path& to,
                const std::atomic<bool>& stop);
/// The audit log of a store that may be writing it: what is written meanwhile is left out.
void copy_audit(const std::filesystem::path& store, const std::filesystem::path& to,
                const std::atomic<bool>& stop);

/// Lists what is in the directory, makes it durable, and so makes it a backup.
BackupContents seal(const std::filesystem::path& directory);
/// Reads the list, and compares it with what is there.
BackupContents read(const std::filesystem::path& directory);

/// Its time says when a backup of the store was last made. In the store's directory.
inline constexpr const char* success_name = ".last-backup";
/// When a backup of this store was last made; nothing if none was, or if it is not known.
std::optional<std::chrono::system_clock::time_point> last_success(
    const std::filesystem::path& store);

/// All of it: the directory is made, `snapshot` links the database's files into the directory that
/// it is given, and the rest follows. A failure removes what was made again.
BackupContents make(const std::filesystem::path& store, const std::filesystem::path& directory,
                    const std::atomic<bool>& stop,
                    const std::function<void(const std::filesystem::path& to)>& snapshot);

/// One file, durable, 0600; a hard link if that is wanted and possible.
void copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
               std::uint64_t bytes, const std::atomic<bool>& stop);
bool link_file(const std::filesystem::path& from, const std::filesystem::path& to);
void sync_directory(const std::filesystem::path& directory);

}  // namespace backup
}  // namespace onceproxy::store
