#include "store/rocksdb/ownership.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

namespace onceproxy::store {

namespace fs = std::filesystem;

GivenToOwner::~GivenToOwner() {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(directory_.c_str(), &owner) != 0 || owner.st_uid == 0) return;
  std::error_code error;
  fs::recursive_directory_iterator files(directory_, error);
  for (const fs::recursive_directory_iterator end; !error && files != end; files.increment(error)) {
    struct stat file {};
    if (::lstat(files->path().c_str(), &file) != 0 || file.st_uid != 0) continue;
    // Nothing is to be done about one that stays: a start names the file that it cannot open.
    [[maybe_unused]] const int failed = ::lchown(files->path().c_str(), owner.st_uid, owner.st_gid);
  }
}

}  // namespace onceproxy::store
