// The compaction filters that reclaim what has expired. They free space and nothing else: whether
// a record still counts is decided by whoever reads it. RocksDB's filters ignore snapshots, so
// nothing here may rely on one.
//
// Purging cannot be undone, and a wrong clock must not purge: while the store's clock and the
// system's wall clock are more than a minute apart (the wall clock was stepped since the start,
// or was wrong at the start and has been set since), nothing is purged.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "store/clock.hpp"

namespace onceproxy::store {

/// Reads the expiry out of one key and value; nothing where it cannot: then the entry is kept.
using ExpiryOf = std::optional<WallTime> (*)(std::string_view key, std::string_view value);

/// `expiry_in_key`: the key alone is enough, so blobs are judged without being read.
/// `clock` and `wall_clock` outlive the database.
std::shared_ptr<rocksdb::CompactionFilterFactory> make_expiry_filter(
    const Clock& clock, std::function<WallTime()> wall_clock, ExpiryOf expiry_of,
    bool expiry_in_key);

}  // namespace onceproxy::store
