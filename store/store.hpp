// Store: the durable memory of operations. reserve / complete / release / mark_unknown are atomic
// per fingerprint, across all callers, and what they answer is durable as the store's options say.
//
// It is asynchronous without knowing an event loop: a verb either answers at once (returns true)
// or later, on the loop its Call names. A Call belongs to the caller, must stay where it is until
// it was answered, and cannot be cancelled; whoever stops must wait for its calls. A networked
// store can implement the same interface.
//
// It does not know HTTP: an answer is a status and bytes. It decides nothing about policies: what
// a duplicate gets is for the caller to make of the result.
//
// Thread-safety: every verb may be called from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "store/fingerprint.hpp"
#include "store/permit.hpp"
#include "store/terms.hpp"

namespace onceproxy::store {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// Base of every call under way, linkable so that a store hands back a whole batch with one wake.
class CallBase {
 public:
  CallBase* next = nullptr;
  /// Runs on the loop's thread when the result is there. Set by the caller before the verb.
  void (*resume)(CallBase&) = nullptr;
};

/// Something that is to happen on a loop. Destroyed before, it does not. Made and destroyed on the
/// loop's thread only.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
};

/// One event loop, as a store sees it. Outlives the calls that name it.
class Loop {
 public:
  /// Takes a list linked by `next` and runs each `resume` on the loop's thread, in order.
  /// Called from any thread; never blocks; does not throw.
  virtual void deliver(CallBase* first) noexcept = 0;

  /// Asked with each call that is to be written. True: this loop calls Store::submit() once it is
  /// done with what is at hand, and a store need not wake its writer for each call made from it.
  /// That makes groups of many calls instead of one group a call, and saves a switch between
  /// threads for each.
  virtual bool submits() { return false; }

  /// Runs `expired` once on the loop's thread, no earlier than `after` from now and not much later.
  /// `expired` may destroy the timer. Called on the loop's thread. A loop that gives nothing has no
  /// timers: calls from it never wait for anybody, but are answered as if their time were over.
  virtual std::unique_ptr<Timer> timer([[maybe_unused]] std::chrono::milliseconds after,
                                       [[maybe_unused]] std::function<void()> expired) {
    return nullptr;
  }

 protected:
  ~Loop() = default;
};

template <typename Result>
class Call : public CallBase {
 public:
  explicit Call(Loop& home) : loop(home) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Loop& loop;
  std::optional<Result> result;
  /// How long the call waited for its entity's turn; negative where it asked for none.
  std::chrono::nanoseconds turn_wait{-1};
};

/// What a completed operation answered.
struct StoredAnswer {
  int status = 0;
  /// Header lines, each "name: value\r\n", exactly as they are to be sent again. The caller
  /// validated them; the store only keeps them.
  std::string head;
  std::string body;
  /// False: the answer was too large to keep; head and body are empty.
  bool replayable = true;
};

/// The entity that an operation acts on, and what it has to do with it. What is known of an entity
/// is kept as long as it matters: while it is closed, and for a window after the last completion.
struct EntityTerms {
  EntityKey key;
  /// For operators. At most 63 and 255 bytes; longer is cut.
  std::string_view type;
  std::string_view id;
  /// Operations on one entity are reserved one at a time, in order of arrival, and the next one's
  /// turn comes when the one before it is settled. So long the call waits for its turn; absent: it
  /// takes none, and goes on beside whoever has it.
  std::optional<std::chrono::milliseconds> turn;
  /// At or below the entity's highest completed one: Stale.
  std::optional<std::int64_t> sequence;
  /// When this operation completes the entity is closed for so long, atomically with it.
  std::optional<std::chrono::milliseconds> closes;
  /// Refused while the entity is closed.
  bool unless_closed = false;
};

/// GCRA (the generic cell rate algorithm, ITU-T I.371): `limit` at once, then one each
/// `per / limit`. Consumed atomically with a reservation, given back by its release; duplicates
/// consume nothing.
struct RateTerms {
  RateKey key;
  /// Above zero.
  std::uint32_t limit = 1;
  std::chrono::milliseconds per{1'000};
};

struct ReserveRequest {
  Fingerprint fingerprint;
  /// Absent: requests with one fingerprint are never told apart.
  std::optional<PayloadDigest> payload;
  Terms terms;
  /// Kept in the record for operators. At most 63 and 255 bytes; longer is cut.
  std::string_view policy;
  std::string_view request_id;
  /// For the audit log alone. At most 32 bytes.
  std::string_view trace_id;
  /// Where the request stands in its trace, in the caller's own words: kept in the record for the
  /// duplicates to be told. Empty: nowhere. At most 63 bytes; longer is left out.
  std::string_view trace;
  std::optional<EntityTerms> entity;
  std::optional<RateTerms> rate;
  /// Where another holds the reservation: wait for what becomes of it, no longer than this, instead
  /// of being told InFlight at once. Of those that wait for one that is released, exactly one
  /// takes over; the others go on waiting.
  std::chrono::milliseconds wait{0};
  /// What the caller keeps in memory while it waits. The sum over all that wait is bounded; above
  /// the bound a call does not wait.
  std::size_t bytes_kept = 0;
};

/// The reservation is durable and the caller's alone.
struct Reserved {
  Permit permit;
  /// 1 for the first; above for one that follows an unknown outcome.
  std::uint32_t attempt = 1;
};
/// Somebody in this process holds the reservation.
struct InFlight {};
/// The fingerprint is known with another payload. Checked before everything else.
struct Mismatch {};
/// The outcome is unknown, or the holder is gone and its lease is not over.
struct Held {
  /// Until the lease is over; absent where only the window's end or an operator ends it.
  std::optional<std::chrono::milliseconds> lease_left;
};
/// The entity has completed this sequence or a higher one.
struct Stale {};
/// The entity is closed, for so long.
struct Closed {
  std::chrono::milliseconds left{0};
};
/// Over the rate limit; the next token comes then.
struct RateLimited {
  std::chrono::milliseconds retry_after{0};
};
/// The entity's turn did not come in time, or too many wait for it.
struct NoTurn {};
/// Done, and remembered.
struct Completed {
  StoredAnswer answer;
  WallTime completed_at{};
  /// ReserveRequest::trace of the one that was let through.
  std::string trace = {};
};
/// The store cannot promise anything now. Nothing was reserved as far as the caller may rely on.
struct Unavailable {
  enum class Reason {
    failed,   ///< a write or read failed, or the store is reopening after one
    full,     ///< the soft size cap is reached: new keys are refused, known ones answer
    pending,  ///< more reservations are under way than allowed
    corrupt,  ///< this fingerprint's record cannot be read
    closing,
  };
  Reason reason = Reason::failed;
};

using ReserveResult = std::variant<Reserved, InFlight, Mismatch, Held, Stale, Closed, RateLimited,
                                   NoTurn, Completed, Unavailable>;

/// How a settling verb ended.
enum class Settled {
  done,
  refused,  ///< the permit no longer holds the reservation; nothing was changed
  failed,   ///< not known to be durable; the reservation is left to its lease
};

/// Why an operation counts as not having happened: what answered so, or why nothing was sent.
struct NotDone {
  int status = 0;
  std::string_view error;
};

class AuditLog;

class Store : public PermitOwner {
 public:
  virtual ~Store() = default;

  /// Claims a fingerprint. Checked in this order: the payload, whether it is known, the entity's
  /// turn, whether the entity is closed, the sequence, the rate limit. `request` and its views must
  /// stay valid until the call is answered.
  /// Returns true when `call.result` is set already; then `call.resume` is never called.
  [[nodiscard]] virtual bool reserve(const ReserveRequest& request, Call<ReserveResult>& call) = 0;

  /// The operation happened and answered `answer`: remembers it for the window.
  [[nodiscard]] virtual bool complete(Permit permit, StoredAnswer answer, Call<Settled>& call) = 0;

  /// The operation did not happen: the fingerprint is free at once. `why` is for the audit log
  /// alone.
  [[nodiscard]] virtual bool release(Permit permit, const NotDone& why, Call<Settled>& call) = 0;

  /// Nobody knows whether the operation happened: the lease starts now. `error` (at most 255
  /// bytes, longer is cut) is kept for operators.
  [[nodiscard]] virtual bool mark_unknown(Permit permit, std::string_view error,
                                          Call<Settled>& call) = 0;

  /// Begins what was called for from loops that submit() themselves. Cheap where that is nothing.
  virtual void submit() {}

  /// Where all that is written down; null: nowhere. Stays as long as the store.
  virtual AuditLog* audit() { return nullptr; }
};

}  // namespace onceproxy::store
