// Committer: the one thread that writes. What was pushed while it wrote forms the next group; a
// group is one batch, one sync, and one wake for each loop that waits for results. On the same
// thread, between groups: leases are extended and the directory is measured, so that neither can
// get in the way of a settlement's order. What is known of time goes with a batch about each
// second, and by itself once a minute if nothing else is written.
//
// A failed write leaves open what is on disk. From then on it promises nothing, reopens the
// database until that works, reads back what was in doubt, writes what was retained, and only then
// goes back to work.
//
// Without syncs (`sync: none`) a small group may be written where it was submitted: a write is then
// quicker than two switches between threads. It never waits there: not for the thread, nor for
// RocksDB, which would make writers wait for its compactions; the thread writes it then. There is
// still one writer at a time.
//
// push(), submit(), settle_failed(), failing(), failure() and wake() are thread-safe.
#pragma once

#include <rocksdb/write_batch.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/audit/log.hpp"
#include "store/completed_cache.hpp"
#include "store/duplicates.hpp"
#include "store/note_table.hpp"
#include "store/rocksdb/census.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/delivery.hpp"
#include "store/rocksdb/fences.hpp"
#include "store/rocksdb/handover.hpp"
#include "store/rocksdb/ledger_claims.hpp"
#include "store/rocksdb/ledger_writer.hpp"
#include "store/rocksdb/observer.hpp"
#include "store/rocksdb/operation_queue.hpp"
#include "store/rocksdb/options.hpp"
#include "store/rocksdb/retained.hpp"
#include "store/rocksdb/space.hpp"
#include "store/rocksdb/stats.hpp"
#include "store/rocksdb/tuning.hpp"

namespace onceproxy::store {

class Committer {
 public:
  /// What it works on; all of it outlives the committer.
  struct Parts {
    Database& database;
    Reservations& reservations;
    Entities& entities;
    Rates& rates;
    Handover& handover;
    Fences& fences;
    Space& space;
    Duplicates& duplicates;
    CompletedCache& completed;
    Census& census;
    NoteTable& notes;
    LedgerWriter& ledger;
    LedgerClaims& claims;
    PermitOwner& permit_owner;
    const RocksDbOptions& options;
    const Tuning& tuning;
    Clock& clock;
    const Era& era;
    const RocksDbObserver& observer;
    AuditLog* audit;  ///< null: there is none
  };

  explicit Committer(const Parts& parts);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Takes an operation and answers its call later. Gives it back if the committer has ended.
  /// Begins it at submit() if `later`, else at once.
  std::unique_ptr<Operation> push(std::unique_ptr<Operation> operation, bool later) {
    operation = queue_.push(std::move(operation));
    if (!later && operation == nullptr) queue_.nudge();
    return operation;
  }
  /// Begins what was pushed `later`. May answer calls before it returns.
  void submit() {
    if (parts_.options.sync == Sync::none && commit_here()) return;
    queue_.nudge();
  }

  /// Operations should carry an entry for the audit log.
  bool audited() const { return parts_.audit != nullptr; }

  /// The database has failed and is not back yet: nothing can be promised.
  bool failing() const { return retained_.active(); }
  /// Why; empty while it does not fail.
  std::string failure() const;

  /// While failing: keeps a settlement for later instead of pushing it. Gives it back if the
  /// database works again meanwhile; takes it for good otherwise.
  std::unique_ptr<Operation> retain(std::unique_ptr<Operation> operation);

  std::uint64_t records_estimate() const {
    return records_estimate_.load(std::memory_order_relaxed);
  }

  /// Runs `task` between two groups, while nothing is written. False if it did not, because the
  /// database fails or the committer ends. Not from a thread that writes; `task` must not throw.
  bool pause(const std::function<void()>& task);

  /// Answers everything pushed so far, then ends. Idempotent.
  void finish();

 private:
  using Time = std::chrono::steady_clock::time_point;

  void run();
  void work();
  bool commit_here();
  bool is_quick(const Operation* newest) const;
  void commit_all(OperationList pending);
  void commit(OperationList group);
  void written(OperationList group, const rocksdb::Status& status, std::size_t operations,
               Time begin);
  rocksdb::Status write(OperationList& group, std::size_t& operations, bool may_wait);
  bool needs_sync(const Operation& operation) const;
  void succeed(OperationList group);
  void note(const Operation& operation);
  void write_down();
  void fail(OperationList group, bool maybe_on_disk);
  void forget(const Operation& operation);
  void add(rocksdb::WriteBatch& batch, Operation& operation);
  void add_event(rocksdb::WriteBatch& batch, Operation& operation);
  void undo_entity(Operation& operation);
  bool looks_waited();
  void look_at_events();
  void answer(LedgerChange& change, bool done);
  void add_outcome(rocksdb::WriteBatch& batch, const Operation& operation);
  void add_end(rocksdb::WriteBatch& batch, const Fingerprint& fingerprint);
  void forget_ended();
  void end(const Operation& operation);
  void add_ties(rocksdb::WriteBatch& batch, const Operation& operation) const;

  /// Puts what is known of time into the batch if what is on disk is older than `age`, or than
  /// the batch may leave it.
  void keep_time(rocksdb::WriteBatch& batch, std::chrono::milliseconds age);
  void keep_time(rocksdb::WriteBatch& batch) { keep_time(batch, ClockMemory::lag_max / 2); }
  void write_time(std::chrono::milliseconds age);
  void follow_clock();

  void upkeep();
  void extend_leases();
  /// So many a call. False if there is nothing to write, or it failed.
  bool write_duplicates();
  void write_notes();

  void start_failing(std::string_view operation, const rocksdb::Status& status);
  void failed(std::string_view operation, std::string_view detail);
  void recover();
  bool try_recover();
  void read_back(Operation& operation, rocksdb::WriteBatch& batch, bool& good);
  void end_while_failing();

  const Parts parts_;
  OperationQueue queue_;
  Retained retained_;
  std::atomic<bool> finishing_{false};
  std::atomic<std::uint64_t> records_estimate_{0};
  mutable std::mutex failure_mutex_;
  std::string failure_;
  /// Held by who writes.
  std::mutex writing_;

  // Of who holds it.
  /// Was taken, but could not be written at once: goes before what is in the queue.
  std::optional<OperationList> put_back_;
  Delivery delivery_;
  /// Kept for its memory.
  rocksdb::WriteBatch batch_;
  std::string audit_;
  std::size_t audit_count_ = 0;
  /// The records that the batch changes although no call has the claim: another operation ended
  /// them, or their events have ended.
  std::vector<Fingerprint> ended_;
  /// As it was last put into a batch.
  std::optional<ClockMemory> kept_time_;
  Time next_upkeep_{};
  /// Since when something is due for an event.
  std::optional<Time> looks_due_since_;
  Time next_attempt_{};
  std::chrono::milliseconds reopen_pause_{};
  std::thread thread_;
};

}  // namespace onceproxy::store
