// PostgresStats: what the shared store tells of itself, for gauges and counters. Plain values.
#pragma once

#include <cstdint>

#include "store/stats.hpp"

namespace onceproxy::store {

/// As the base says; `bytes` is the size of the table of operations, and `records_estimate` comes
/// from the server's planner.
struct PostgresStats : StoreStats {
  /// The database does not answer, and operations are refused without asking it.
  bool circuit_open = false;
  /// Notifications of the other instances are received.
  bool hears = false;
  std::uint64_t connections = 0;
  std::uint64_t connections_max = 0;
  /// Operations that wait for a connection.
  std::uint64_t queued = 0;
  std::uint64_t queued_max = 0;
  std::uint64_t cache_bytes = 0;
  std::uint64_t cache_bytes_max = 0;
  /// Outcomes that could not be written yet and wait for the database.
  std::uint64_t retained = 0;

  // Since the start:
  std::uint64_t round_trips = 0;
  std::uint64_t connects = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t retries_connection = 0;
  std::uint64_t retries_conflict = 0;
  std::uint64_t retries_deadlock = 0;
  std::uint64_t retries_shutdown = 0;
  /// Operations of a statement that failed for another reason, each of which is then sent by
  /// itself; counted once for the statement.
  std::uint64_t retries_other = 0;
  std::uint64_t timeouts = 0;
  /// Answers that waited until the standbys had confirmed the row that they repeat, and those of
  /// them that were not given because the standbys did not confirm in time.
  std::uint64_t replication_waits = 0;
  std::uint64_t replication_unconfirmed = 0;
  std::uint64_t cache_hits = 0;
  std::uint64_t notifications = 0;
  std::uint64_t leases_lost = 0;
};

}  // namespace onceproxy::store
