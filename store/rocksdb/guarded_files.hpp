// GuardedFiles: the file system through which RocksDB changes the store's directory. It knows which
// files RocksDB relies on there, and tells when one of them vanished or was replaced: RocksDB
// itself has them open, continues to write to files without a name, and notices it at the next
// start.
//
// If the path leads to another directory than the one that was opened, nothing is changed there:
// RocksDB works by path, and would overwrite and remove the files of whatever has come in its
// place.
//
// Thread-safe.
#pragma once

#include <rocksdb/file_system.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "store/rocksdb/directory_lock.hpp"

namespace onceproxy::store {

class GuardedFiles final : public rocksdb::FileSystemWrapper {
 public:
  /// `directory` must outlive it.
  GuardedFiles(const std::shared_ptr<rocksdb::FileSystem>& target, const DirectoryLock& directory)
      : FileSystemWrapper(target), directory_(directory) {}
  const char* Name() const override { return "onceproxy.GuardedFiles"; }

  /// What is missing: the directory, or the first file that is gone or another's. Costs one system
  /// call for each file of the database; RocksDB's own changes wait meanwhile.
  std::optional<std::string> missing() const;

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  /// The beginning and the end of an open database.
  rocksdb::IOStatus LockFile(const std::string& name, const rocksdb::IOOptions& options,
                             rocksdb::FileLock** lock, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class Pin;
  struct File {
    dev_t device = 0;
    ino_t inode = 0;
    /// Keeps the number from being given to another file. Tables have none: there are many, and
    /// RocksDB has them open.
    std::shared_ptr<Pin> pin;
  };

  rocksdb::IOStatus changeable() const;
  std::string path_of(const std::string& name) const;
  void remember(const std::string& name);

  const DirectoryLock& directory_;
  mutable std::mutex mutex_;
  /// By name: all of them lie in the directory.
  std::map<std::string, File> files_;
};

}  // namespace onceproxy::store
