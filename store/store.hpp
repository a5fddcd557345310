// Store: the durable memory of operations. reserve / complete / release / mark_unknown are atomic
// per fingerprint, across all callers, and what they answer is durable as the store's options say.
//
// It is asynchronous without knowing an event loop: a verb either answers at once (returns true)
// or later, on the loop its Call names. A Call belongs to the caller, must stay where it is until
// it was answered, and cannot be cancelled; a worker that stops must wait for its calls. A
// networked store can implement the same interface.
//
// It does not know HTTP: an answer is a status and bytes. It decides nothing about policies: what
// a duplicate gets is for the caller to make of the result.
//
// Thread-safety: every verb may be called from any thread.
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

  /// Claims a fingerprint. Checked in this order: the payload, whether it is known, the entity's
  /// turn, whether the entity is closed, the sequence, the rate limit. `request` and its views must
  /// stay valid until the call is answered.
  /// Returns true when `call.result` is set already; then `call.resume` is never called.
  [[nodiscard]] virtual bool reserve(const ReserveRequest& request, Call<ReserveResult>& call) = 0;

  /// The operation happened and answered `answer`: remembers it for the window. Atomically with it,
  /// what is remembered of the operations `ends` is forgotten. One of them that is under way goes
  /// on, and completes without being remembered; its duplicates that wait get its answer. One whose
  /// outcome is unknown is not touched before its lease is over.
  [[nodiscard]] virtual bool complete(Permit permit, StoredAnswer answer,
                                      std::span<const Fingerprint> ends, Call<Settled>& call) = 0;
  /// The same for one that ends none.
  [[nodiscard]] bool complete(Permit permit, StoredAnswer answer, Call<Settled>& call) {
    return complete(std::move(permit), std::move(answer), {}, call);
  }

  /// The operation did not happen: the fingerprint is free at once. `why` is for the audit log
  /// alone.
  [[nodiscard]] virtual bool release(Permit permit, const NotDone& why, Call<Settled>& call) = 0;

  /// Nobody knows whether the operation happened: the lease starts now. `error` (at most 255
  /// bytes, longer is cut) is kept for operators.
  [[nodiscard]] virtual bool mark_unknown(Permit permit, std::string_view error,
                                          Call<Settled>& call) = 0;

  /// Whether a lease can end while its holder lives, since somebody else must be reached to renew
  /// it.
  virtual bool leases_may_end() const { return false; }

  /// Where it can: `watch` is told on `loop`, at most once, if the lease of `permit` ends before it
  /// is settled.
  virtual void watch_lease([[maybe_unused]] const Permit& permit, [[maybe_unused]] Loop& loop,
                           [[maybe_unused]] std::weak_ptr<LeaseWatch> watch) {}

  /// Begins what was called for from `loop`, which submits itself. Cheap where that is nothing.
  virtual void submit([[maybe_unused]] Loop& loop) {}

  /// `loop` watches sockets and is about to end: gives up what is kept on it. All its calls were
  /// answered. Called on its thread.
  virtual void leave([[maybe_unused]] Loop& loop) {}

  /// Since when digests are what they are now; what is in the store from before may lie under
  /// earlier ones (ReserveRequest::earlier). Absent: it holds nothing from before. Fixed, and
  /// cheap to ask.
  virtual std::optional<WallTime> digests_since() const { return std::nullopt; }

  /// Where all that is written down; null: nowhere. Stays as long as the store.
  virtual AuditLog* audit() { return nullptr; }

  /// What was stored to be delivered; null: the store has none. Stays as long as the store.
  virtual Ledger* ledger() { return nullptr; }

  /// Where the program keeps what it has learnt; null: nowhere. Stays as long as the store.
  virtual Notes* notes() { return nullptr; }
};

}  // namespace onceproxy::store
