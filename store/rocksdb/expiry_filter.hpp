// The compaction filters that reclaim what has expired. They free space and nothing else: whether
// a record still counts is decided by its reader. RocksDB's filters ignore snapshots, so
// nothing here may rely on one.
//
// Purging cannot be undone, and a wrong clock must not purge: nothing is while the clock says that
// it may be wrong (Clock::may_purge).
#pragma once

#include <rocksdb/compaction_filter.h>

#include <memory>
#include <optional>
#include <string_view>

#include "store/clock.hpp"

namespace onceproxy::store {

/// Reads the expiry out of one key and value; nothing if it cannot: then the entry is kept.
using ExpiryOf = std::optional<WallTime> (*)(std::string_view key, std::string_view value);

/// `expiry_in_key`: the key alone is enough, so blobs are judged without being read.
/// `clock` outlives the database.
std::shared_ptr<rocksdb::CompactionFilterFactory> make_expiry_filter(const Clock& clock,
                                                                     ExpiryOf expiry_of,
                                                                     bool expiry_in_key);

}  // namespace onceproxy::store
