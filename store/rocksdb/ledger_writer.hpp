// LedgerWriter: what the committer writes of the ledger: new events, what became of deliveries,
// and, between groups, what is due for an event whose last delivery has ended: the window of its
// record begins, its payload goes, and in the end everything of it. It knows how many deliveries of
// the events in hand have not ended, without reading them each time.
//
// Not thread-safe: by who may write (Committer). The counts are read from any thread.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/clock.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/ledger_change.hpp"
#include "store/rocksdb/ledger_counts.hpp"
#include "store/rocksdb/observer.hpp"

namespace onceproxy::store {

/// An event's record does not expire before its last delivery has ended. The year 2255: what counts
/// nanoseconds since 1970 in 64 bits ends in 2262.
inline constexpr WallTime open_event_expiry{std::chrono::milliseconds(9'000'000'000'000)};

class LedgerWriter {
 public:
  /// All outlive it.
  LedgerWriter(const Database& database, LedgerCounts& counts, const LedgerOptions& options,
               const Clock& clock, const RocksDbObserver& observer)
      : database_(database),
        counts_(counts),
        options_(options),
        clock_(clock),
        observer_(observer) {}

  /// From a database that was just opened.
  rocksdb::Status load();

  /// Adds the change to the batch; a new event gets its number. A record that it changes is read,
  /// and its fingerprint added to `records`.
  void add(rocksdb::WriteBatch& batch, LedgerChange& change, std::vector<Fingerprint>& records);
  /// Nobody knows whether the event is on disk, and its caller was told that it is not: takes it
  /// out, whatever is there of it.
  void add_undone(rocksdb::WriteBatch& batch, const LedgerChange& change);
  /// After a failure: whether the change is not on disk yet, and still makes sense.
  bool is_missing(const LedgerChange& change) const;

  /// Something is due for an event.
  bool looks_due() const { return next_look_ <= clock_.now(); }
  /// Does what is due, for at most `events` of them. Records are named as by add(). Before the
  /// operations of the batch, so that they are the last word.
  void add_looks(rocksdb::WriteBatch& batch, std::size_t events, std::vector<Fingerprint>& records);

  /// Adds the counts that have changed. The last that is done to a batch.
  void finish(rocksdb::WriteBatch& batch);
  /// What was added is not known to be on disk: forget() until load().
  void failed();

 private:
  struct Open {
    std::uint32_t pending = 0;
    bool dead = false;
  };

  void add_event(rocksdb::WriteBatch& batch, LedgerChange& change);
  void add_delivery(rocksdb::WriteBatch& batch, LedgerChange& change);
  void reopen(rocksdb::WriteBatch& batch, EventNumber event);
  void add_answer(rocksdb::WriteBatch& batch, LedgerChange& change,
                  std::vector<Fingerprint>& records);
  void add_look(rocksdb::WriteBatch& batch, EventNumber event, WallTime at,
                std::vector<Fingerprint>& records);
  void purge(rocksdb::WriteBatch& batch, EventNumber event, const EventRow& row);
  void drop_payload(rocksdb::WriteBatch& batch, EventNumber event, EventRow& row);
  void look_at(rocksdb::WriteBatch& batch, WallTime at, EventNumber event);
  /// The record gets `expires`, where it is still the event's.
  void set_expiry(rocksdb::WriteBatch& batch, const EventRow& row, WallTime expires,
                  std::vector<Fingerprint>& records);
  /// Nothing where it cannot be read, which is reported.
  std::optional<EventRow> read_event(EventNumber event, bool* failed = nullptr) const;
  std::optional<Open> open(EventNumber event);
  void report(std::string_view operation, std::string_view detail) const;

  const Database& database_;
  LedgerCounts& counts_;
  const LedgerOptions& options_;
  const Clock& clock_;
  const RocksDbObserver& observer_;
  /// Some of the events whose deliveries have not all ended, as they are once all batches so far
  /// are on disk.
  std::unordered_map<EventNumber, Open> open_;
  /// By the batch that is being made.
  std::vector<EventNumber> purged_;
  /// Nothing is due before.
  WallTime next_look_{};
  /// Every look that is to come is at or after this time. A scan that began at the first key would
  /// pass all those that were removed since the last compaction.
  WallTime looks_from_{};
};

}  // namespace onceproxy::store
