// RocksDbStats and RocksDbFigures: what the embedded store tells of itself, for gauges. Plain
// values.
#pragma once

#include <cstdint>

#include "store/clock.hpp"
#include "store/stats.hpp"

namespace onceproxy::store {

/// Cheap to take.
struct RocksDbStats : StoreStats {
  /// The size above which no new operation is accepted (RocksDbOptions::bytes_max).
  std::uint64_t bytes_max = 0;
  ClockStanding clock = {};
  /// The write-ahead log is written over preallocated space, if the file system can.
  bool prepared_log = false;
};

/// RocksDB's own figures, since it was last opened. Takes its lock for a moment: for scrapes, not
/// for the request path.
struct RocksDbFigures {
  /// Compaction is so far behind that RocksDB accepts no writes.
  bool writes_stopped = false;
  /// Bytes per second that RocksDB accepts while compaction is behind; 0: no limit.
  std::uint64_t delayed_write_rate = 0;
  std::uint64_t background_errors = 0;
  std::uint64_t memtable_bytes = 0;
  std::uint64_t compaction_pending_bytes = 0;
  std::uint64_t compactions_running = 0;
  std::uint64_t block_cache_bytes = 0;
  /// Answers that are stored outside the tables.
  std::uint64_t blob_bytes = 0;
};

}  // namespace onceproxy::store
