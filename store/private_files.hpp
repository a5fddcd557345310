// Protects the store's files from other users of the machine, because they contain answers in plain
// text. Directories get mode 0700 and files 0600, including those that an earlier version created.
// Files that are created later get their modes from the process's umask (proxy/main.cpp), which is
// the only way for those that RocksDB creates. Used only at startup.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace onceproxy::store {

struct PrivateFilesReport {
  /// The mode of a file that others may read could not be changed.
  std::function<void(std::string_view)> failed;
  /// The mode of the directory could not be changed: it belongs to another user, or contains other
  /// files.
  std::function<void(std::string_view)> left;
};

/// Removes the permissions of all users except the owner from `directory` and the store's files in
/// it. If the directory contains other files, its mode stays the same, because others may need it.
void make_private(const std::filesystem::path& directory, const PrivateFilesReport& report);

}  // namespace onceproxy::store
