// Who owns a store's files where root works on them: commands that run beside the program (restore,
// backup --offline) are often run as root, and the program is another user. Not thread-safe.
#pragma once

#include <filesystem>

namespace onceproxy::store {

/// At its end, gives what root owns in the directory to the directory's own owner and group. Does
/// nothing for other users, and if the directory is root's. Follows no symbolic links. What
/// cannot be given away stays root's: the program then says at its start what it cannot open.
class GivenToOwner {
 public:
  explicit GivenToOwner(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~GivenToOwner();
  GivenToOwner(const GivenToOwner&) = delete;
  GivenToOwner& operator=(const GivenToOwner&) = delete;

 private:
  const std::filesystem::path directory_;
};

}  // namespace onceproxy::store
