// Store: the durable memory of operations. reserve, complete, release and mark_unknown are atomic
// for each fingerprint, across all callers. Their results are durable as the store's options
// specify.
//
// It is asynchronous without depending on an event loop: a function answers either at once (it
// returns true) or later, on the loop of its Call. A Call belongs to the caller, must not move
// until it was answered, and cannot be cancelled; a worker that stops must wait for its calls. A
// networked store can implement the same interface.
//
// It does not know HTTP: an answer is a status and bytes. It does not decide about policies: the
// caller decides which answer a duplicate gets.
//
// Thread-safety: every function may be called by any thread.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "store/answer.hpp"
#include "store/call.hpp"
#include "store/lease_watch.hpp"
#include "store/permit.hpp"
#include "store/request.hpp"
#include "store/result.hpp"

namespace onceproxy::store {

class AuditLog;
class Ledger;
class Notes;

class Store : public PermitOwner {
 public:
  virtual ~Store() = default;

  /// Reserves a fingerprint. The checks are made in this order: the payload, whether the operation
  /// is known, the entity's turn, whether the entity is closed, the sequence, the rate limit.
  /// `request` and its views must stay valid until the call is answered. Returns true if
  /// `call.result` is already set; `call.resume` is not called in this case.
  [[nodiscard]] virtual bool reserve(const ReserveRequest& request, Call<ReserveResult>& call) = 0;

  /// The operation was executed and answered with `answer`: it is remembered for the window. The
  /// operations `ends` are forgotten atomically with it. If one of them is under way, it continues
  /// and completes without being remembered, and its waiting duplicates get its answer. If the
  /// outcome of one is unknown, it is kept until its lease has ended.
  [[nodiscard]] virtual bool complete(Permit permit, StoredAnswer answer,
                                      std::span<const Fingerprint> ends, Call<Settled>& call) = 0;
  /// The same for an operation that ends no others.
  [[nodiscard]] bool complete(Permit permit, StoredAnswer answer, Call<Settled>& call) {
    return complete(std::move(permit), std::move(answer), {}, call);
  }

  /// The operation was not executed: the fingerprint is free at once. `why`: only for the audit
  /// log.
  [[nodiscard]] virtual bool release(Permit permit, const NotDone& why, Call<Settled>& call) = 0;

  /// It is unknown whether the operation was executed: the lease starts now. `error` (at most 255
  /// bytes; a longer text is cut off) is kept for operators.
  [[nodiscard]] virtual bool mark_unknown(Permit permit, std::string_view error,
                                          Call<Settled>& call) = 0;

  /// Whether a lease can end while its holder lives, because a server must be reached to renew it.
  virtual bool leases_may_end() const { return false; }

  /// If it can: `watch` is notified on `loop`, at most once, if the lease of `permit` ends before
  /// it is settled.
  virtual void watch_lease([[maybe_unused]] const Permit& permit, [[maybe_unused]] Loop& loop,
                           [[maybe_unused]] std::weak_ptr<LeaseWatch> watch) {}

  /// Whether `permit` still holds its reservation. To be asked right before an operation begins: a
  /// watch may be notified late, for example after the process was stopped for a while.
  virtual bool holds([[maybe_unused]] const Permit& permit) const { return true; }

  /// Begins the calls that were made on `loop`, if the loop submits itself. Cheap if there are
  /// none.
  virtual void submit([[maybe_unused]] Loop& loop) {}

  /// `loop` watches sockets and is about to end: frees everything that belongs to it. All its calls
  /// have been answered. Called on its thread.
  virtual void leave([[maybe_unused]] Loop& loop) {}

  /// The time since which digests are computed as now; records from before may have earlier ones
  /// (ReserveRequest::earlier). Absent if there are no records from before. Constant, and cheap to
  /// read.
  virtual std::optional<WallTime> digests_since() const { return std::nullopt; }

  /// The audit log; nullptr if there is none. Valid as long as the store.
  virtual AuditLog* audit() { return nullptr; }

  /// The ledger of events; nullptr if the store has none. Valid as long as the store.
  virtual Ledger* ledger() { return nullptr; }

  /// The notes of the program; nullptr if there are none. Valid as long as the store.
  virtual Notes* notes() { return nullptr; }
};

}  // namespace onceproxy::store
