// RocksDbStore: the Store on one machine, in an embedded RocksDB that one process owns. One
// committer thread writes: whatever arrives while it writes forms the next group, and a group
// costs one sync. Reads run on the caller's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "store/audit_log.hpp"
#include "store/clock.hpp"
#include "store/inspection.hpp"
#include "store/store.hpp"

namespace onceproxy::store {

/// What is on disk (fdatasync, shared by a group) before a verb answers.
enum class Sync {
  all,           ///< reservations and completions
  reservations,  ///< reservations; completions survive a process crash, not power loss
  none,          ///< everything survives a process crash, not power loss
};

struct RocksDbOptions {
  std::filesystem::path path = "/var/lib/onceproxy";
  Sync sync = Sync::all;
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
};

/// Called from the store's threads; must be thread-safe, quick and must not throw.
struct RocksDbObserver {
  /// A group was written: how long it took and how many operations it held.
  std::function<void(std::chrono::nanoseconds, std::size_t)> committed;
  /// A write, read, open or decode failed. `operation` is one of a small fixed set of words.
  std::function<void(std::string_view operation, std::string_view detail)> failed;
  /// A permit was dropped unused.
  std::function<void()> permit_dropped;
  /// An event worth a log line: reopened, over the cap, back under it, compaction, recovery, the
  /// clock.
  std::function<void(std::string_view)> event;
};

/// Records by what they amount to: a reservation that nobody holds is unknown after its lease.
struct RecordCounts {
  bool known = false;  ///< they were looked at, at least in part
  std::uint64_t reserved = 0;
  std::uint64_t completed = 0;
  std::uint64_t unknown = 0;
};

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
};

/// RocksDB's insides, since it was last opened. Takes its lock for a moment: for whoever scrapes,
/// not for whoever serves.
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

class RocksDbStore : public Store {
 public:
  /// Opens or creates the database. Throws std::runtime_error with a message that names the
  /// directory, what is wrong (in use by another process, read-only, corrupt, not a directory)
  /// and the way out. `clock` outlives the store, which starts it with what the database kept.
  static std::unique_ptr<RocksDbStore> open(const RocksDbOptions& options, Clock& clock,
                                            RocksDbObserver observer);

  virtual RocksDbStats stats() const = 0;
  virtual RocksDbFigures figures() const = 0;

  /// Why the store promises nothing just now, for operators; empty while it is healthy.
  virtual std::string failure() const = 0;

  /// For operators; lives as long as the store.
  virtual Inspection& inspection() = 0;

  /// Answers every call under way, flushes, and closes. Verbs answer `closing` from then on; so do
  /// calls that waited, on their loops: the store must stay until they were answered.
  /// Idempotent; the destructor calls it.
  virtual void close() = 0;
};

}  // namespace onceproxy::store
