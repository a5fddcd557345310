// What the RocksDB underneath is told, and why. Internal to the store.
#pragma once

#include <rocksdb/db.h>

#include <vector>

#include "store/tuning.hpp"

namespace onceproxy::store {

rocksdb::Options database_options(const RocksDbOptions& options, const Tuning& tuning,
                                  std::shared_ptr<rocksdb::EventListener> listener,
                                  std::shared_ptr<rocksdb::Logger> log);

/// One descriptor for each Family, in its order.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(const RocksDbOptions& options,
                                                                const Tuning& tuning,
                                                                const Clock& clock);

}  // namespace onceproxy::store
