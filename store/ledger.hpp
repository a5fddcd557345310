// Ledger: the durable table of events and of the state of each of their deliveries. An event is
// stored by Store::reserve() (ReserveRequest::event), in the same write as its reservation. A
// delivery engine then reads the pending deliveries, attempts them, and reports how each attempt
// ended.
//
// The ledger sends nothing, has no timers for due deliveries, and holds no queue in memory: pending
// deliveries are read in pages.
//
// How an engine keeps the order of an entity's events with little memory:
// - pending() returns a listener's deliveries that have not ended, in the order of their numbers,
//   whatever their due times. The engine continues from the last number that it has read (`after`)
//   and holds a limited number of rows for each listener. A row waits while an earlier row of the
//   same entity has not ended, so the engine remembers the entities of its rows.
// - If all rows in memory wait, the engine may read on and drop rows that wait, as long as it
//   remembers their entities. When one of these entities is free again, it reads again from number
//   0. This is cheap, because the ledger knows the lowest number that can be pending.
// - New rows have higher numbers than all earlier rows, except redriven ones. LedgerWatch reports
//   both.
//
// The steps of an attempt: begin() claims the delivery and answers with an Attempt. The request is
// sent. Attempt::sent() is called when an operation that closes the entity may proceed (see there).
// end() writes the result. Between begin() and the end of that write, no second begin() and no
// operator gets the delivery. An Attempt that is destroyed without end() leaves the delivery as it
// was.
//
// A process that dies loses the attempts under way. Their deliveries stay pending and are attempted
// again, so a listener may get a repeat. An attempt is counted when it ends.
//
// If several processes share a ledger (shared()), each delivers the events that it has stored, and
// those that other processes have left. Every process may begin every delivery, but only one at a
// time. The result of begin() keeps the order of an entity's events across all processes. With
// follow() a process tells the others what it delivers. Events of different entities may become
// visible in another order than that of their numbers; LedgerWatch::redriven() reports those that a
// reader has passed.
//
// Thread-safety: all functions may be called from any thread. Calls are answered as described in
// store.hpp. pending(), event(), follow() and the queries read the disk, or wait for the database
// for a limited time, on the caller's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "store/call.hpp"
#include "store/event.hpp"
#include "store/inspection.hpp"
#include "store/ledger_options.hpp"
#include "store/result.hpp"

namespace onceproxy::store {

class Attempt;

/// Creates attempts, and outlives them.
class AttemptOwner {
 public:
  /// Releases the hold on the entity. Does no I/O.
  virtual void sent(Attempt& attempt) noexcept = 0;
  /// Called by the destructor of an attempt that was not ended. Its delivery can be claimed again,
  /// and is as it was.
  virtual void dropped(Attempt& attempt) noexcept = 0;
  /// See Attempt::lapsed(). Does no I/O.
  virtual bool lapsed([[maybe_unused]] const Attempt& attempt) const noexcept { return false; }

 protected:
  ~AttemptOwner() = default;
};

/// The right to attempt one delivery. Move-only; only a Ledger creates it. Not thread-safe, but it
/// may be moved between threads. Must be destroyed before the ledger.
class Attempt {
 public:
  /// For implementations of Ledger. `holds`: the key of the entity that must not be closed before
  /// sent(). `orphaned`: see there.
  Attempt(AttemptOwner& owner, DeliveryKey key, std::uint32_t number,
          std::optional<EntityKey> holds, bool orphaned = false)
      : owner_(&owner), key_(std::move(key)), number_(number), holds_(holds), orphaned_(orphaned) {}
  Attempt(Attempt&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        key_(std::move(other.key_)),
        number_(other.number_),
        holds_(std::exchange(other.holds_, std::nullopt)),
        orphaned_(other.orphaned_) {}
  Attempt& operator=(Attempt&& other) noexcept {
    if (this != &other) {
      if (owner_ != nullptr) owner_->dropped(*this);
      owner_ = std::exchange(other.owner_, nullptr);
      key_ = std::move(other.key_);
      number_ = other.number_;
      holds_ = std::exchange(other.holds_, std::nullopt);
      orphaned_ = other.orphaned_;
    }
    return *this;
  }
  ~Attempt() {
    if (owner_ != nullptr) owner_->dropped(*this);
  }

  const DeliveryKey& key() const { return key_; }
  /// The number of this attempt, from 1.
  std::uint32_t number() const { return number_; }
  /// Whether the attempt holds the entity open, as `unless_closed` in the event's policy requires.
  /// Until sent(), no operation on the entity begins, and none that closes it is answered. Other
  /// attempts for the entity are not affected.
  bool holds_entity() const { return holds_.has_value(); }
  /// Releases the hold on the entity: an operation that closes it may now proceed, and counts as
  /// later than this attempt. To be called when the answer has arrived, or one second after the
  /// last byte was written, whichever is sooner, so that a listener that hangs does not prevent the
  /// entity from being closed. end() and the destructor call it too. May be called more than once.
  void sent() {
    if (owner_ != nullptr && holds_) owner_->sent(*this);
  }

  /// Whether the claim is no longer valid: another process may have taken the delivery over, and
  /// the entity may be closed. The request must then not be sent. To be checked right before the
  /// first byte is written. Always false if the ledger is not shared.
  bool lapsed() const { return owner_ != nullptr && owner_->lapsed(*this); }

  /// Whether no process has had the route of the delivery for a while, so that it may end as
  /// removed. Only for shared ledgers: a process that does not have the route itself must not
  /// decide that.
  bool orphaned() const { return orphaned_; }

  // For implementations of Ledger.
  void use() { owner_ = nullptr; }
  std::optional<EntityKey> take_hold() { return std::exchange(holds_, std::nullopt); }

 private:
  AttemptOwner* owner_;
  DeliveryKey key_;
  std::uint32_t number_;
  std::optional<EntityKey> holds_;
  bool orphaned_;
};

/// The entity was closed. The delivery has ended as cancelled, durably, and must not be sent.
struct Cancelled {};
/// The delivery is not pending: it has ended, or was purged.
struct NotPending {};
/// The delivery cannot be claimed now: another attempt is under way, an operator is changing it, or
/// the result of an earlier attempt is not written yet. With a shared ledger also: an earlier event
/// of its entity is pending.
struct Taken {};
/// The delivery must not begin before `due`, or with `held` not before an operator redrives it:
/// another process attempts or has postponed it, or the result of an earlier attempt was written
/// after Settled::failed.
struct Later {
  WallTime due{};
  std::uint32_t attempts = 0;
  bool held = false;
};

using BeginResult = std::variant<Attempt, Cancelled, NotPending, Taken, Later, Unavailable>;

/// A policy and one of the listeners that get its events.
struct DeliveryRoute {
  std::string policy;
  std::string listener;

  friend bool operator==(const DeliveryRoute&, const DeliveryRoute&) = default;
};

/// The result of an attempt.
struct AttemptEnd {
  /// notified, dead, cancelled or removed; or failed if the delivery is to be attempted again.
  DeliveryState state = DeliveryState::notified;
  /// Only for the state failed: the earliest time of the next attempt.
  WallTime due{};
  /// Only for the state failed: there is no next attempt until an operator redrives the delivery
  /// (`unknown: hold`).
  bool held = false;
  /// The status of the answer; 0 if there was none.
  int status = 0;
  /// For operators. Longer texts are cut to error_bytes_max (record.hpp).
  std::string_view error;
  /// False: nothing was sent, because the circuit is open or the listener was removed. This does
  /// not count as an attempt.
  bool attempted = true;
};

/// The result of a redrive.
enum class Redriven {
  done,      ///< the delivery is pending and due at once; its attempts are counted from 0 again
  absent,    ///< the delivery does not exist, or its payload was removed
  conflict,  ///< it is neither dead nor held, or it is being attempted or changed
  closed,    ///< its entity is closed, and its policy has unless_closed; nothing was changed
  stale,     ///< its entity has completed a higher sequence since; nothing was changed
  failed,    ///< the result is not known to be durable
};

struct PendingPage {
  /// In the order of their numbers.
  std::vector<PendingDelivery> items;
  /// Whether there may be more after the last of these.
  bool more = false;
  /// If more were looked at than are in `items`: the number after which to read on.
  EventNumber reached = 0;
};

struct DeliveryFilter {
  // An absent member matches everything, as does an empty list of states.
  std::optional<Fingerprint> event;
  std::optional<std::string> listener;
  std::vector<DeliveryState> states;
  std::optional<std::string> policy;
  /// Events that were stored at `since` or later, and before `until`.
  std::optional<WallTime> since;
  std::optional<WallTime> until;
};

struct DeliveryPage {
  /// In the order of the event numbers, then of the listeners' names.
  std::vector<DeliveryView> items;
  /// The key after which the next page begins. Absent: this is the last page. A page may be short
  /// or empty without being the last one, because the number of rows that are read for a page is
  /// limited.
  std::optional<DeliveryKey> next;
};

/// The figures of one listener.
struct ListenerFigures {
  std::string listener;
  /// The current numbers of deliveries: pending and failed together, and dead letters.
  std::uint64_t pending = 0;
  std::uint64_t dead = 0;
  /// The numbers of ended deliveries by their state. They count since the ledger was created; a
  /// shared ledger counts those of this process. A delivery that was redriven may end twice.
  std::uint64_t notified_total = 0;
  std::uint64_t dead_total = 0;
  std::uint64_t cancelled_total = 0;
  std::uint64_t removed_total = 0;
  /// Attempts that failed and are retried.
  std::uint64_t failed_total = 0;
  /// When the event of the first pending delivery was stored. Absent: nothing is pending.
  std::optional<WallTime> oldest_pending;
};

struct LedgerFigures {
  /// In the order of their names. A listener stays in the list once it has had a delivery.
  std::vector<ListenerFigures> listeners;
  /// Events with a delivery that has not ended.
  std::uint64_t events_open = 0;
  /// The size of the stored payloads, and its limit (LedgerOptions::bytes_max).
  std::uint64_t payload_bytes = 0;
  std::uint64_t payload_bytes_max = 0;
};

/// Is notified of deliveries that become pending. Called on the thread that writes, before the
/// caller that stored the event is answered. Must return quickly, must not call the ledger, and
/// does not throw.
class LedgerWatch {
 public:
  /// `event` is durable, and its deliveries to these listeners are due at once. The pointer saves
  /// reading the payload again; the number of pointers that are kept must be limited.
  virtual void stored(std::shared_ptr<const Event> event,
                      std::span<const std::string> listeners) noexcept = 0;
  /// The delivery is pending again, although a reader may have passed its number.
  virtual void redriven(const DeliveryKey& key) noexcept = 0;

 protected:
  ~LedgerWatch() = default;
};

class Ledger {
 public:
  /// The listener's deliveries that have not ended, with numbers above `after`; at most `limit`.
  virtual std::variant<PendingPage, Unreadable> pending(std::string_view listener,
                                                        EventNumber after, std::size_t limit) = 0;
  /// The listeners with pending deliveries, including listeners that are not configured any more.
  /// Cheap.
  virtual std::vector<std::string> listeners_with_pending() const = 0;
  /// The event with its payload. Null: there is no event with this number, or its payload was
  /// removed.
  virtual std::variant<std::shared_ptr<const Event>, Unreadable> event(EventNumber number) = 0;

  /// Claims a pending delivery, whatever its due time. If the event's policy has `unless_closed`,
  /// it checks that the entity is not closed and holds it open until Attempt::sent(), in one step.
  /// While an operation on the entity is under way, the call waits for its end, also on a loop
  /// without timers. The attempt is therefore entirely before or after an operation that closes the
  /// entity.
  [[nodiscard]] virtual bool begin(const DeliveryKey& key, Call<BeginResult>& call) = 0;
  /// The same, but answers Later if the delivery was postponed since it was read.
  [[nodiscard]] virtual bool begin_due(const DeliveryKey& key, Call<BeginResult>& call) {
    return begin(key, call);
  }

  /// Whether other processes deliver from this ledger too.
  virtual bool shared() const { return false; }
  /// Sets what this process delivers from now on. In a shared ledger a delivery is attempted only
  /// by processes that have its route. If no process has had the route for a while, the delivery
  /// ends as removed. To be called before an event is stored for a new route.
  virtual void follow([[maybe_unused]] std::vector<DeliveryRoute> routes) {}

  /// Settled::done: the result is durable, as `sync` says for completions. Settled::failed: it is
  /// not known to be durable; it is kept in memory, within limits, and is written when the database
  /// answers again. Until then begin() answers Taken. Settled::refused: the attempt was already
  /// ended, or another process has taken the delivery over.
  [[nodiscard]] virtual bool end(Attempt attempt, const AttemptEnd& how, Call<Settled>& call) = 0;

  /// Replaces the answer that duplicates of the event get, for example by one with the listeners'
  /// results. Settled::refused: the event's record is gone, or belongs to another event.
  [[nodiscard]] virtual bool acknowledge(EventNumber event, StoredAnswer answer,
                                         Call<Settled>& call) = 0;

  /// Makes a dead letter or a held delivery pending again.
  [[nodiscard]] virtual bool redrive(const DeliveryKey& key, Call<Redriven>& call) = 0;
  /// Ends a pending delivery or a dead letter as removed; `why` becomes its error. Conflict: the
  /// delivery has ended in another state, or an attempt is under way.
  [[nodiscard]] virtual bool drop(const DeliveryKey& key, std::string_view why,
                                  Call<Changed>& call) = 0;

  /// The events of one fingerprint, the newest first, at most `limit`.
  virtual std::variant<std::vector<EventView>, Unreadable> events(const Fingerprint& fingerprint,
                                                                  std::size_t limit) = 0;
  /// Deliveries after `after`. An index is used if the filter names states, and not `notified`. All
  /// other filters walk through the events.
  virtual std::variant<DeliveryPage, Unreadable> deliveries(const DeliveryFilter& filter,
                                                            const std::optional<DeliveryKey>& after,
                                                            std::size_t limit) = 0;
  /// Reads one row for each listener.
  virtual LedgerFigures figures() const = 0;

  /// Notifies `watch` from now on; null: nobody. When this returns, the previous watch is not
  /// called any more.
  virtual void watch(LedgerWatch* watch) = 0;

  /// Sets the options from now on. A changed retention counts for events that end afterwards.
  virtual void limit(const LedgerOptions& options) = 0;

 protected:
  ~Ledger() = default;
};

}  // namespace onceproxy::store
