#include "store/private_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace onceproxy::store {
namespace {

constexpr mode_t of_others = S_IRWXG | S_IRWXO;

std::string reason() {
  return std::generic_category().message(errno);
}

/// Files of RocksDB, of this store, and of the audit log.
bool is_ours(const std::string& name) {
  constexpr std::array<std::string_view, 6> names{"CURRENT", "LOCK", "IDENTITY",
                                                  "LOG",     "LOGS", "RESTORED"};
  constexpr std::array<std::string_view, 3> begins{"MANIFEST-", "OPTIONS-", "LOG.old."};
  constexpr std::array<std::string_view, 5> ends{".log", ".sst", ".blob", ".dbtmp", ".audit"};
  const auto begins_so = [&](std::string_view part) { return name.starts_with(part); };
  const auto ends_so = [&](std::string_view part) { return name.ends_with(part); };
  return std::ranges::find(names, name) != names.end() || std::ranges::any_of(begins, begins_so) ||
         std::ranges::any_of(ends, ends_so);
}

/// What a file system keeps in its root, hidden files, and the audit log's directory.
bool may_lie_beside(const std::string& name) {
  return name.starts_with('.') || name == "audit" || name == "lost+found";
}

/// The first name that is not the store's; empty if there is none.
std::string tighten_files(const std::filesystem::path& directory,
                          const PrivateFilesReport& report) {
  std::string foreign;
  std::error_code error;
  std::filesystem::directory_iterator files(directory, error);
  for (const std::filesystem::directory_iterator end; !error && files != end;
       files.increment(error)) {
    const std::string name = files->path().filename().string();
    struct stat status {};
    if (!is_ours(name)) {
      if (!may_lie_beside(name)) foreign = name;
      continue;
    }
    if (::lstat(files->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if ((status.st_mode & of_others) == 0) continue;
    if (::chmod(files->path().c_str(), S_IRUSR | S_IWUSR) != 0 && report.failed) {
      report.failed("other users may read " + files->path().string() +
                    ", and its mode cannot be changed (" + reason() + "); set it to 0600");
    }
  }
  return foreign;
}

}  // namespace

void make_private(const std::filesystem::path& directory, const PrivateFilesReport& report) {
  const std::string foreign = tighten_files(directory, report);
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0 || (status.st_mode & of_others) == 0) return;
  if (!foreign.empty()) {
    if (report.left) {
      report.left("store: other users may list " + directory.string() +
                  ", which keeps its mode because it also holds " + foreign +
                  "; give the store a directory of its own");
    }
    return;
  }
  if (::chmod(directory.c_str(), S_IRWXU) == 0 || !report.left) return;
  report.left("store: other users may list " + directory.string() +
              ", and its mode cannot be changed (" + reason() + "); set it to 0700");
}

}  // namespace onceproxy::store
