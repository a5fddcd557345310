// Keeps what the store wrote from other users of the machine: answers lie in it in plain text.
// Directories become 0700 and files 0600, those that an earlier version made included. The files
// that come later get their modes from the process's umask (proxy/main.cpp), which alone reaches
// those that RocksDB creates. Startup only.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace onceproxy::store {

struct PrivateFilesReport {
  /// A file that others may read stayed as it was.
  std::function<void(std::string_view)> failed;
  /// The directory itself stayed as it was: it is another user's, or is shared with other things.
  std::function<void(std::string_view)> left;
};

/// Removes the permissions of everyone but the owner from `directory` and from the store's files in
/// it. A directory that holds anything that is not the store's keeps its mode, for others may need
/// it.
void make_private(const std::filesystem::path& directory, const PrivateFilesReport& report);

}  // namespace onceproxy::store
