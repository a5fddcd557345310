// DirectoryLock: the store's directory, held open and locked as long as the store is open.
//
// RocksDB locks a file in the directory, LOCK. Removing that file takes the lock away with
// it, and a second process could lock the new one. This lock is on the directory itself (flock(2)
// on its own descriptor): nothing that is done to the files in it lets anybody else in. If a
// file system knows no such lock (some network file systems), RocksDB's is the only one.
//
// take() and give_back() belong to one thread; problem() is thread-safe between them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

namespace onceproxy::store {

class DirectoryLock {
 public:
  explicit DirectoryLock(std::filesystem::path path) : path_(std::move(path)) {}
  ~DirectoryLock() { give_back(); }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  struct Holder {
    /// 0: unknown.
    pid_t process = 0;
    bool is_this_process = false;
  };
  /// Opens and locks the directory. Returns who else has it, and then holds nothing. Throws
  /// std::system_error if it cannot be opened.
  std::optional<Holder> take();
  /// Idempotent.
  void give_back();

  /// What is wrong if the path no longer leads to the directory that was taken: it was removed,
  /// replaced, or cannot be reached. Nothing while no directory is taken.
  std::optional<std::string> problem() const;

  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
  int directory_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace onceproxy::store
