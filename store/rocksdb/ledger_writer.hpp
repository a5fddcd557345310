// LedgerWriter: the writes of the ledger, made by the committer: new events and new states of
// deliveries. Between groups of operations it also processes events whose last delivery has ended:
// the window of the record begins, the payload is removed, and finally the whole event. For recent
// events it remembers how many deliveries have not ended, so that these need not be read each time.
//
// Not thread-safe: used only by the thread that may write (Committer). The counts may be read from
// any thread.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/clock.hpp"
#include "store/ledger_limits.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/ledger_change.hpp"
#include "store/rocksdb/ledger_counts.hpp"
#include "store/rocksdb/observer.hpp"

namespace onceproxy::store {

/// An event's record does not expire before its last delivery has ended. This is the year 2255;
/// nanoseconds since 1970 in 64 bits end in 2262.
inline constexpr WallTime open_event_expiry{std::chrono::milliseconds(9'000'000'000'000)};

class LedgerWriter {
 public:
  /// The references outlive this object.
  LedgerWriter(const Database& database, LedgerCounts& counts, const LedgerLimits& limits,
               const Clock& clock, const RocksDbObserver& observer)
      : database_(database), counts_(counts), limits_(limits), clock_(clock), observer_(observer) {}

  /// Reads the counts of a database that was just opened.
  rocksdb::Status load();

  /// Adds the change to the batch. A new event gets its number. If the change needs a record, the
  /// record is read, and its fingerprint is added to `records`.
  void add(rocksdb::WriteBatch& batch, LedgerChange& change, std::vector<Fingerprint>& records);
  /// It is not known whether the event is on disk, and its caller got the answer that it is not.
  /// Adds the removal of everything that may have been written of it.
  void add_undone(rocksdb::WriteBatch& batch, const LedgerChange& change);
  /// To be called when a change is on disk that made the delivery pending again. It lowers the
  /// bound from which the listener's pending deliveries are read.
  void pending_again(const DeliveryKey& key) { counts_.may_be_pending(key.listener, key.event); }
  /// After a failure: whether the change is not on disk and still applies.
  bool is_missing(const LedgerChange& change) const;

  /// Whether an event is due to be processed.
  bool looks_due() const { return next_look_ <= clock_.now(); }
  /// Processes at most `events` due events. Fingerprints are added to `records` as by add(). To be
  /// called before the operations of the batch are added, so that those take precedence.
  void add_looks(rocksdb::WriteBatch& batch, std::size_t events, std::vector<Fingerprint>& records);

  /// Adds the counts that have changed. Must be the last addition to a batch.
  void finish(rocksdb::WriteBatch& batch);
  /// The batch is not known to be on disk. Nothing may be added until load() was called again.
  void failed();

 private:
  struct Open {
    std::uint32_t pending = 0;
    std::uint32_t dead = 0;
    /// Those that ended as cancelled or removed.
    std::uint32_t unsent = 0;
  };

  void add_event(rocksdb::WriteBatch& batch, LedgerChange& change);
  void add_delivery(rocksdb::WriteBatch& batch, LedgerChange& change);
  void reopen(rocksdb::WriteBatch& batch, EventNumber event);
  void add_answer(rocksdb::WriteBatch& batch, LedgerChange& change,
                  std::vector<Fingerprint>& records);
  void add_look(rocksdb::WriteBatch& batch, EventNumber event, WallTime at,
                std::vector<Fingerprint>& records);
  void purge(rocksdb::WriteBatch& batch, EventNumber event, const EventRow& row, const Open& open);
  void drop_payload(rocksdb::WriteBatch& batch, EventNumber event, EventRow& row);
  void look_at(rocksdb::WriteBatch& batch, WallTime at, EventNumber event);
  /// Sets the expiry of the record, if it still belongs to the event.
  void set_expiry(rocksdb::WriteBatch& batch, const EventRow& row, WallTime expires,
                  std::vector<Fingerprint>& records);
  /// Nothing if the row cannot be read. The error has been reported.
  std::optional<EventRow> read_event(EventNumber event, bool* failed = nullptr) const;
  std::optional<Open> open(EventNumber event);
  void report(std::string_view operation, std::string_view detail) const;

  const Database& database_;
  LedgerCounts& counts_;
  const LedgerLimits& limits_;
  const Clock& clock_;
  const RocksDbObserver& observer_;
  /// Some of the events with deliveries that have not ended, in the state after all batches so far.
  std::unordered_map<EventNumber, Open> open_;
  /// The events that the current batch purges.
  std::vector<EventNumber> purged_;
  /// No event is due before this time.
  WallTime next_look_{};
  /// All future times at which an event is due are at or after this one. A scan from the first key
  /// would have to pass all keys that were removed since the last compaction.
  WallTime looks_from_{};
};

}  // namespace onceproxy::store
