#include "proxy/cli/doctor/store_check.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "config/scalars.hpp"
#include "proxy/cli/doctor/postgres_check.hpp"

namespace onceproxy::doctor {
namespace {

namespace fs = std::filesystem;

/// Below it RocksDB has no room for its logs.
constexpr std::uint64_t free_bytes_min = std::uint64_t{64} << 20;

std::string reason(int error) {
  return std::error_code(error, std::generic_category()).message();
}

/// The path itself, or the nearest directory above it that there is.
fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (path.has_relative_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

/// In whole mebibytes or gibibytes, rounded down.
std::string room(std::uint64_t bytes) {
  constexpr std::uint64_t mib = std::uint64_t{1} << 20;
  constexpr std::uint64_t gib = std::uint64_t{1} << 30;
  return bytes >= 10 * gib ? std::to_string(bytes / gib) + "GiB"
                           : std::to_string(bytes / mib) + "MiB";
}

std::uint64_t bytes_in(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const std::uintmax_t size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

std::string whose(const fs::path& path) {
  return "chown it to user " + std::to_string(::geteuid()) +
         ", or name another directory: " + path.string();
}

void check_permissions(const fs::path& path, Findings& out) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    const fs::path above = nearest_existing(path);
    if (::access(above.c_str(), W_OK | X_OK) != 0) {
      return out.fail(path.string() + " does not exist and cannot be created: " + above.string() +
                          ": " + reason(errno),
                      "mkdir -p it and " + whose(path));
    }
    return out.ok(path.string() + " is not there yet and can be made");
  }
  if (!S_ISDIR(status.st_mode)) {
    return out.fail(path.string() + " is not a directory", "remove it, or name another path");
  }
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return out.fail(path.string() + " cannot be written: " + reason(errno), whose(path));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return out.warn(
        path.string() + " can be accessed by other users, and it contains stored answers",
        "chmod 700 " + path.string());
  }
  out.ok(path.string() + " is writable, and only by this user");
}

/// The store locks its directory (store/rocksdb/directory_lock.hpp); closing the descriptor gives
/// back what was taken here.
bool check_lock(const fs::path& path, Findings& out) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // Told with the permissions, or it is not there.
  if (directory < 0) return false;
  const bool in_use = ::flock(directory, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(directory);
  if (in_use) out.ok("another process has it open, as expected while onceproxy runs");
  return in_use;
}

void check_file_system(const fs::path& path, bool synced, Findings& out) {
  // linux/magic.h, without its macros.
  constexpr long tmpfs = 0x01021994;
  constexpr long overlay = 0x794c7630;
  constexpr long nfs = 0x6969;
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return;
  const auto type = static_cast<long>(status.f_type);
  if (type == tmpfs && synced) {
    out.warn(path.string() + " lies in memory: a reboot loses it",
             "name a directory on a disk, or set store.rocksdb.sync: none if losing it at a reboot "
             "is intended");
  } else if (type == overlay) {
    out.warn(path.string() + " lies in the container's own layer, which ends with the container",
             "mount a volume there");
  } else if (type == nfs) {
    out.warn(path.string() + " lies on NFS, where locks and syncs may not hold",
             "name a directory on a local disk or a block device");
  }
}

void check_room(const config::Settings& settings, const fs::path& path, Findings& out) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) {
    return out.fail("the room at " + path.string() + " is not known: " + reason(errno),
                    "look whether the file system is mounted");
  }
  if ((status.f_flag & ST_RDONLY) != 0) {
    return out.fail(path.string() + " is mounted read-only", "mount it for writing");
  }
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  const std::uint64_t most =
      settings.store.bytes_max + (settings.audit.enabled ? settings.audit.bytes_max : 0);
  std::error_code ignored;
  const std::uint64_t used =
      fs::exists(settings.store.path, ignored) ? bytes_in(settings.store.path) : 0;
  const std::uint64_t wanted = most > used ? most - used : 0;
  if (free < free_bytes_min) {
    out.fail("only " + room(free) + " are free at " + path.string(), "make room");
  } else if (free < wanted) {
    out.warn("the store and the audit log may grow by " + room(wanted) + ", and " + room(free) +
                 " are free",
             "make room, or lower store.rocksdb.max_bytes and audit.max_bytes");
  } else {
    out.ok(room(free) + " are free, and at most " + room(wanted) + " are needed");
  }
  if (status.f_files > 0 && status.f_favail == 0) {
    out.fail("the file system at " + path.string() + " has no inode left", "remove files");
  }
}

void append(std::vector<Finding>& all, std::vector<Finding> more) {
  std::ranges::move(more, std::back_inserter(all));
}

}  // namespace

StoreState check_store(const config::Settings& settings) {
  StoreState state;
  if (settings.postgres) {
    state.findings = check_postgres(*settings.postgres);
    return state;
  }
  Findings store("store");
  check_permissions(settings.store.path, store);
  state.in_use = check_lock(settings.store.path, store);
  const fs::path existing = nearest_existing(settings.store.path);
  check_file_system(existing, settings.store.sync != store::Sync::none, store);
  Findings disk("disk");
  check_room(settings, existing, disk);
  append(state.findings, store.take());
  append(state.findings, disk.take());
  return state;
}

}  // namespace onceproxy::doctor
