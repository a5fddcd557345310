// PostgresStats: what the shared store tells of itself, for gauges and counters. Plain values.
#pragma once

#include <cstdint>

#include "store/record_counts.hpp"

namespace onceproxy::store {

struct PostgresStats {
  /// It can promise: the database answers, and its settings lose nothing.
  bool healthy = true;
  bool circuit_open = false;
  /// Notifications of other instances come.
  bool hears = false;
  std::uint64_t connections = 0;
  std::uint64_t connections_max = 0;
  /// Operations that wait for a connection.
  std::uint64_t queued = 0;
  std::uint64_t queued_max = 0;
  std::uint64_t reservations_active = 0;
  std::uint64_t calls_waiting = 0;
  std::uint64_t calls_waiting_max = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t waiting_bytes_max = 0;
  std::uint64_t cache_bytes = 0;
  std::uint64_t cache_bytes_max = 0;
  /// Outcomes that wait for the database.
  std::uint64_t retained = 0;
  /// What the operations take in the database, and how many there are, as its planner estimates.
  std::uint64_t table_bytes = 0;
  std::uint64_t records_estimate = 0;
  RecordCounts records;
  std::uint64_t audit_bytes = 0;
  std::uint64_t audit_dropped = 0;

  // Since the start:
  std::uint64_t round_trips = 0;
  std::uint64_t connects = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t retries_connection = 0;
  std::uint64_t retries_conflict = 0;
  std::uint64_t retries_deadlock = 0;
  std::uint64_t retries_shutdown = 0;
  std::uint64_t timeouts = 0;
  /// Answers that waited until the standbys had what they stand on, and those that waited in vain.
  std::uint64_t replication_waits = 0;
  std::uint64_t replication_unconfirmed = 0;
  std::uint64_t cache_hits = 0;
  std::uint64_t notifications = 0;
  std::uint64_t leases_lost = 0;
};

}  // namespace onceproxy::store
