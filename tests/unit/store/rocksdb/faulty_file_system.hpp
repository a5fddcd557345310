// A file system that fails on demand, under RocksDB: writes or syncs of the write-ahead log, writes
// of tables, and the creation of files. Thread-safe.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "store_fixture.hpp"

namespace onceproxy::store::testing {

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  enum class Fault {
    none,
    log_append,       ///< nothing of the write arrives
    log_append_half,  ///< a torn write
    log_sync,         ///< the write arrives; whether it lasts is not known
    table_write,
    create,  ///< no file can be created: the database cannot be opened either
  };

  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "faulty"; }
  /// Before a store is opened on it.
  void stand_on(std::shared_ptr<rocksdb::FileSystem> below) { target_ = std::move(below); }
  std::atomic<Fault> fault{Fault::none};
  /// Syncs of the log that have begun.
  std::atomic<int> log_syncs{0};
  Signal log_synced;
  /// While true, a sync of the log waits; turn it with notify_all().
  std::atomic<bool> log_sync_waits{false};

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    if (fault == Fault::create) return broken();
    auto status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<File>(*this, name, std::move(*result));
    return status;
  }

 private:
  static rocksdb::IOStatus broken() { return rocksdb::IOStatus::IOError("injected"); }

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(FaultyFileSystem& owner, const std::string& name,
         std::unique_ptr<rocksdb::FSWritableFile>&& target)
        : FSWritableFileOwnerWrapper(std::move(target)),
          owner_(owner),
          log_(name.ends_with(".log")),
          table_(name.ends_with(".sst")) {}

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      const Fault fault = owner_.fault;
      if (table_ && fault == Fault::table_write) return broken();
      if (log_ && fault == Fault::log_append) return broken();
      if (log_ && fault == Fault::log_append_half) {
        FSWritableFileOwnerWrapper::Append({data.data(), data.size() / 2}, options, debug)
            .PermitUncheckedError();
        return broken();
      }
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo&,
                             rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      if (log_) {
        owner_.log_synced.change([&] { ++owner_.log_syncs; });
        owner_.log_sync_waits.wait(true);
      }
      if (log_ && owner_.fault == Fault::log_sync) return broken();
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

   private:
    FaultyFileSystem& owner_;
    const bool log_;
    const bool table_;
  };
};

/// How a store comes to stand on it.
struct FaultyEnvironment {
  std::shared_ptr<FaultyFileSystem> files = std::make_shared<FaultyFileSystem>();
  decltype(Tuning::over) over = [this](std::shared_ptr<rocksdb::FileSystem> below) {
    files->stand_on(std::move(below));
    return files;
  };
};

}  // namespace onceproxy::store::testing
