#include "store/rocksdb/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <utility>

namespace onceproxy::store {
namespace {

/// The process that holds a lock of this kind on the file, by /proc/locks; 0 if that does not
/// say. Asking the file itself would need a descriptor of LOCK, and closing one gives up the lock
/// that this process may have on it.
pid_t holder_of(dev_t device, ino_t inode) {
  std::array<char, 64> file{};
  std::snprintf(file.data(), file.size(), "%02x:%02x:%llu", major(device), minor(device),
                static_cast<unsigned long long>(inode));
  // "12: FLOCK  ADVISORY  WRITE 4711 fe:00:131074 0 EOF"
  std::ifstream locks("/proc/locks");
  std::string number;
  std::string kind;
  std::string mode;
  std::string access;
  std::string place;
  std::string rest;
  pid_t process = 0;
  while (locks >> number >> kind >> mode >> access >> process >> place &&
         std::getline(locks, rest)) {
    if (kind == "FLOCK" && place == file.data() && process > 0) return process;
  }
  return 0;
}

}  // namespace

std::optional<DirectoryLock::Holder> DirectoryLock::take() {
  const int directory = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat status {};
  if (directory < 0 || ::fstat(directory, &status) != 0) {
    const int error = errno;
    if (directory >= 0) ::close(directory);
    throw std::system_error(error, std::generic_category(), path_.string());
  }
  if (::flock(directory, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(directory);
    const pid_t process = holder_of(status.st_dev, status.st_ino);
    return Holder{process, process == ::getpid()};
  }
  directory_ = directory;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return std::nullopt;
}

void DirectoryLock::give_back() {
  if (directory_ >= 0) ::close(std::exchange(directory_, -1));
}

std::optional<std::string> DirectoryLock::problem() const {
  if (directory_ < 0) return std::nullopt;
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) {
    if (errno == ENOENT) return "the directory is gone";
    return "the directory cannot be reached (" + std::generic_category().message(errno) + ")";
  }
  if (status.st_dev == device_ && status.st_ino == inode_) return std::nullopt;
  return "another directory is in its place";
}

}  // namespace onceproxy::store
