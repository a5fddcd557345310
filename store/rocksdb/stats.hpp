// RocksDbStats and RocksDbFigures: what the embedded store tells of itself, for gauges. Plain
// values.
#pragma once

#include <cstdint>

#include "store/clock.hpp"
#include "store/record_counts.hpp"

namespace onceproxy::store {

/// Cheap to take; for gauges.
struct RocksDbStats {
  std::uint64_t bytes = 0;
  /// RocksDB's own, and counted by state some seconds ago (census.hpp).
  std::uint64_t records_estimate = 0;
  RecordCounts records;
  std::uint64_t reservations_active = 0;
  /// Reserves that wait for another's outcome or for a turn.
  std::uint64_t calls_waiting = 0;
  std::uint64_t calls_waiting_max = 0;
  /// What their callers keep meanwhile.
  std::uint64_t waiting_bytes = 0;
  std::uint64_t waiting_bytes_max = 0;
  bool healthy = true;
  /// Of the audit log: what it takes on disk, and entries that were lost.
  std::uint64_t audit_bytes = 0;
  std::uint64_t audit_dropped = 0;
  ClockStanding clock;
  /// The log is written over prepared space, where the file system can.
  bool prepared_log = false;
};

/// RocksDB's insides, since it was last opened. Takes its lock for a moment: for scrapes,
/// not for the request path.
struct RocksDbFigures {
  /// It cannot compact as fast as it is written to, and takes no write for now.
  bool writes_stopped = false;
  /// The same, before it comes to that: bytes a second that it takes; 0 = as many as come.
  std::uint64_t delayed_write_rate = 0;
  std::uint64_t background_errors = 0;
  std::uint64_t memtable_bytes = 0;
  std::uint64_t compaction_pending_bytes = 0;
  std::uint64_t compactions_running = 0;
  std::uint64_t block_cache_bytes = 0;
  /// Answers kept outside the tables.
  std::uint64_t blob_bytes = 0;
};

}  // namespace onceproxy::store
