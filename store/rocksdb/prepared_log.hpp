// PreparedLogs: the file system through which RocksDB writes and reads its write-ahead log.
//
// If a log file grows, each sync writes not only the log's bytes but also what the file system
// stores about the file: its size, its blocks, perhaps a journal. So if every write is synced, the
// file is extended in advance with zeros that are on disk, and then overwritten without the page
// cache. A sync is then a single write and takes two thirds of the time.
//
// The price is that a log that was not closed ends before the end of its file. Readers find its end
// by its content (log_end.hpp). They do not change the file, because a reader need not hold the
// database's lock.
//
// A note about each log is written (log_notes.hpp) when it is created, whenever a further MiB of it
// is on disk, and when it is removed. A log that was cut off or removed can therefore be
// distinguished from one that ends there.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>
#include <string>

#include "store/rocksdb/log_notes.hpp"

namespace onceproxy::store {

class PreparedLogs final : public rocksdb::FileSystemWrapper {
 public:
  /// All but the log goes to `target`, and the log too if the file system has no direct I/O.
  /// `prepare`: every write of the log is synced before the next; what is appended to one is this
  /// process's alone until it is synced or closed. `find_ends`: logs and manifests are read up to
  /// the end that log_end.hpp finds; otherwise as RocksDB reads them. `notes` must outlive it;
  /// null: none are made.
  PreparedLogs(const std::shared_ptr<rocksdb::FileSystem>& target, bool prepare,
               LogNotes* notes = nullptr, bool find_ends = true)
      : FileSystemWrapper(target), prepare_(prepare), find_ends_(find_ends), notes_(notes) {}
  const char* Name() const override { return "onceproxy.PreparedLogs"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus note_new(const std::string& name, LogNotes::Note note);
  rocksdb::IOStatus forget(const std::string& name);

  const bool prepare_;
  const bool find_ends_;
  LogNotes* const notes_;
};

}  // namespace onceproxy::store
