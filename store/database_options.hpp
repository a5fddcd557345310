// What the RocksDB underneath is told, and why. Internal to the store.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <vector>

#include "store/tuning.hpp"

namespace onceproxy::store {

/// The system's threads and clock, and the file system of prepared_log.hpp. Must outlive the
/// database.
std::unique_ptr<rocksdb::Env> environment(const RocksDbOptions& options, const Tuning& tuning);

rocksdb::Options database_options(const RocksDbOptions& options, rocksdb::Env& environment,
                                  std::shared_ptr<rocksdb::EventListener> listener,
                                  std::shared_ptr<rocksdb::Logger> log);

/// One descriptor for each Family, in its order.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(const RocksDbOptions& options,
                                                                const Tuning& tuning,
                                                                const Clock& clock);

}  // namespace onceproxy::store
