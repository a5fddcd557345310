// The options of the embedded RocksDB, with their reasons. Internal to the store.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <vector>

#include "store/rocksdb/guarded_files.hpp"
#include "store/rocksdb/log_notes.hpp"
#include "store/rocksdb/options.hpp"
#include "store/rocksdb/tuning.hpp"

namespace onceproxy::store {

/// What of RocksDB's internals the store relies on, and why not more.
struct Internals {
  /// The library is of the tested series (library.hpp).
  bool known = true;
  /// The log is written over prepared space, file systems permitting.
  bool prepared_log = true;
};
Internals internals(const RocksDbOptions& options, const Tuning& tuning);

/// The file system that the database stands on: guarded_files.hpp over prepared_log.hpp over the
/// system's. `directory` and `notes` must outlive it.
std::shared_ptr<GuardedFiles> guarded_files(const Internals& internals,
                                            const DirectoryLock& directory, LogNotes& notes);

/// The system's threads and clock, and these files. Must outlive the database.
std::unique_ptr<rocksdb::Env> environment(std::shared_ptr<rocksdb::FileSystem> files,
                                          const Tuning& tuning);

rocksdb::Options database_options(const RocksDbOptions& options, rocksdb::Env& environment,
                                  std::shared_ptr<rocksdb::EventListener> listener,
                                  std::shared_ptr<rocksdb::Logger> log);

/// One descriptor for each Family, in its order.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(const RocksDbOptions& options,
                                                                const Tuning& tuning,
                                                                const Clock& clock);

}  // namespace onceproxy::store
