// RocksDbOptions: what an operator sets of the embedded store. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "store/audit/options.hpp"
#include "store/clock.hpp"
#include "store/ledger_options.hpp"

namespace onceproxy::store {

/// What is on disk (fdatasync, shared by a group) before a verb answers.
enum class Sync {
  all,           ///< reservations and completions
  reservations,  ///< reservations; completions survive a process crash, not power loss
  none,          ///< everything survives a process crash, not power loss
};

/// How the write-ahead log is written if every write of it is synced (`Sync::all`).
enum class PreparedLog {
  automatic,  ///< over prepared space, if the library and the file system allow it
  off,        ///< as RocksDB does it: the file grows with each write
};

struct RocksDbOptions {
  std::filesystem::path path = "/var/lib/onceproxy";
  Sync sync = Sync::all;
  PreparedLog prepared_log = PreparedLog::automatic;
  /// Soft cap on what the directory holds. Above it new fingerprints are refused.
  std::uint64_t bytes_max = std::uint64_t{4} << 30;
  /// Reservations under way at once; further ones are refused.
  std::size_t pending_max = 100'000;
  /// Opens a database whose write-ahead log is corrupt, losing what cannot be read. An operator's
  /// decision (--accept-wal-loss); without it open() refuses.
  bool accept_wal_loss = false;
  /// How far ahead of the time that the database kept a start believes the wall clock; above zero.
  std::chrono::milliseconds clock_ahead_max = ClockTrust().ahead_max;
  /// The wall clock is right, however far it is from that. An operator's decision for one start
  /// (--accept-clock).
  bool accept_clock = false;
  /// The audit log, beside the database in `path`/audit. It has its own limit.
  AuditOptions audit;
  /// Of events that are stored to be delivered.
  LedgerOptions ledger;
};

}  // namespace onceproxy::store
