// Reserver: the way of a reserve to its answer or to the committer: claim the fingerprint, look on
// disk, take the entity's turn, ask what limits it, make the reservation. If it has to wait it
// becomes a Waiter, and continues on its loop's thread. If it need not wait, it allocates only the
// operation.
//
// It does not write, and does not end reservations: what it has in hand when it refuses, it gives
// back by Handover.
//
// Thread-safety: reserve() from any thread; a call that may wait, from its loop's thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "store/ledger_limits.hpp"
#include "store/rocksdb/committer.hpp"
#include "store/rocksdb/handover.hpp"
#include "store/rocksdb/record_reader.hpp"

namespace onceproxy::store {

class Reserver {
 public:
  /// What it works on; all of it outlives the reserver.
  struct Parts {
    const RecordReader& records;
    Reservations& reservations;
    Entities& entities;
    Rates& rates;
    Handover& handover;
    Fences& fences;
    Duplicates& duplicates;
    const Space& space;
    const LedgerCounts& ledger;
    const LedgerLimits& ledger_limits;
    Committer& committer;
    const Tuning& tuning;
    const Clock& clock;
    const std::atomic<bool>& closing;
  };
  explicit Reserver(const Parts& parts)
      : parts_(parts), room_(parts.tuning.waiting_max, parts.tuning.waiting_bytes_max) {}

  /// True when the call's result is set already.
  bool reserve(const ReserveRequest& request, Call<ReserveResult>& call);

  std::size_t waiting() const { return room_.calls(); }
  std::size_t waiting_bytes() const { return room_.bytes(); }

 private:
  /// Answered: the result is set, and nothing is pending any more. Otherwise its present holder
  /// answers.
  enum class Step { answered, sent, waits };
  /// Nothing: continue.
  using Stop = std::optional<Step>;
  using WaiterPtr = std::unique_ptr<Waiter>;

  // The way, in its order. `waiter` is null until the attempt has to wait for the first time, and
  // again once it stands in a list; `attempt` may be the waiter itself.
  Step go_on(ReserveAttempt& attempt, WaiterPtr& waiter);
  Stop claim(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now);
  Stop go_on_failing(ReserveAttempt& attempt, WaiterPtr& waiter);
  std::optional<ReserveResult> look_without_claim(const ReserveRequest& request, WallTime now,
                                                  bool at_limit);
  Step look(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now);
  Stop take_turn(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now);
  Step send(ReserveAttempt& attempt, Free free, WallTime now);
  bool events_full(const EventDraft& draft) const;
  Step refuse(ReserveAttempt& attempt, ReserveResult why, bool completed = false);

  // Waiting.
  Stop wait_for_outcome(ReserveAttempt& attempt, WaiterPtr& waiter);
  Step queue_for_turn(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now);
  bool prepare(const ReserveAttempt& attempt, WaiterPtr& waiter, std::chrono::milliseconds time,
               void (Reserver::*expired)(Waiter&));
  Step repeat_outcome(ReserveAttempt& attempt, const Record& record);
  void outcome_time_over(Waiter& waiter);
  void turn_time_over(Waiter& waiter);
  void delivered(WaiterPtr waiter);

  const Parts parts_;
  WaitingRoom room_;
};

}  // namespace onceproxy::store
