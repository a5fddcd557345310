// StoreStats: the figures of every store for gauges, with their limits. Plain values.
// rocksdb/stats.hpp and postgres/stats.hpp add the figures of each backend.
#pragma once

#include <cstdint>

#include "store/record_counts.hpp"

namespace onceproxy::store {

struct StoreStats {
  /// False if the store has failed or is closing, and accepts no operations.
  bool healthy = true;
  /// Size of the records on disk, or in the database.
  std::uint64_t bytes = 0;
  /// The backend's estimate of the number of records, and the numbers by state as counted some
  /// seconds ago.
  std::uint64_t records_estimate = 0;
  RecordCounts records = {};
  /// Reservations under way, of all policies. Above the limit no operation is accepted.
  std::uint64_t reservations_active = 0;
  std::uint64_t reservations_max = 0;
  /// Calls that wait for the outcome of another operation or for their entity's turn, and the
  /// memory of their callers. Above the limits a call does not wait.
  std::uint64_t calls_waiting = 0;
  std::uint64_t calls_waiting_max = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t waiting_bytes_max = 0;
  /// For the audit log: its size on disk, and the number of entries that were lost since the start.
  std::uint64_t audit_bytes = 0;
  std::uint64_t audit_dropped = 0;
};

}  // namespace onceproxy::store
