// StoreStats: what every store tells of itself for gauges, with the limits that belong to it. Plain
// values. rocksdb/stats.hpp and postgres/stats.hpp add what each backend has of its own.
#pragma once

#include <cstdint>

#include "store/record_counts.hpp"

namespace onceproxy::store {

struct StoreStats {
  /// False: the store has failed, or is closing, and accepts no operations.
  bool healthy = true;
  /// Size of the records on disk, or in the database.
  std::uint64_t bytes = 0;
  /// The backend's own estimate of the number of records, and the numbers by state as they were
  /// counted some seconds ago.
  std::uint64_t records_estimate = 0;
  RecordCounts records = {};
  /// Reservations under way, of all policies. No operation is accepted above the limit.
  std::uint64_t reservations_active = 0;
  std::uint64_t reservations_max = 0;
  /// Calls that wait for the outcome of another or for the turn of their entity, and the memory
  /// that their callers hold meanwhile. Above the limits a call does not wait.
  std::uint64_t calls_waiting = 0;
  std::uint64_t calls_waiting_max = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t waiting_bytes_max = 0;
  /// Of the audit log: its size on disk, and the entries that were lost since the start.
  std::uint64_t audit_bytes = 0;
  std::uint64_t audit_dropped = 0;
};

}  // namespace onceproxy::store
