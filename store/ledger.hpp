// Ledger: which events were stored and what became of each of their deliveries, durably. Events
// come into it by Store::reserve() (ReserveRequest::event), in one write with their reservation.
// From here on a delivery engine takes what is pending, attempts it, and says how that ended.
//
// It sends nothing, keeps no time for anybody, and holds no queue in memory: what is pending is
// read in pages.
//
// How an engine keeps the order of an entity's events with little memory:
// - pending() gives a listener's deliveries that have not ended in the order of their numbers,
//   whatever their due times. The engine reads on from where it was (`after`), holds so many rows a
//   listener and no more, and remembers the entities of the rows that it holds: a row whose entity
//   has an earlier row that has not ended waits behind it.
// - Where all it holds waits, it may read on and let go the rows that wait, as long as their
//   entities stay remembered; it reads again from `after` = 0 once one of those has ended. Reading
//   from 0 is cheap: the ledger knows the lowest number that can be pending.
// - New rows have higher numbers than all before, except redriven ones: LedgerWatch tells of both.
//
// The life of a delivery: begin() claims it and answers with an Attempt; the request is sent;
// Attempt::sent() when it may be overtaken by what closes the entity (see there); end() writes what
// became of it. Between begin() and the end of that write nobody else gets it: not an operator, nor
// a second begin(). An Attempt that is dropped leaves the delivery as it was.
//
// A process that dies forgets the attempts under way: their deliveries are pending as before and
// are attempted again, which is where the rare repeat comes from. Attempts are counted when they
// end.
//
// Thread-safety: everything from any thread. Calls are answered as store.hpp says of its verbs.
// pending(), event() and the queries read the disk on their caller's thread.
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
#include "store/result.hpp"

namespace onceproxy::store {

class Attempt;

/// The maker of attempts. Outlives them.
class AttemptOwner {
 public:
  /// What keeps the entity from being closed is given back. Does no I/O.
  virtual void sent(Attempt& attempt) noexcept = 0;
  /// From the destructor of one that was not ended: its delivery is free again, and as it was.
  virtual void dropped(Attempt& attempt) noexcept = 0;

 protected:
  ~AttemptOwner() = default;
};

/// One delivery is the holder's to attempt. Move-only; only a Ledger makes one. Not thread-safe;
/// moving it between threads is fine. Destroyed before the ledger.
class Attempt {
 public:
  /// For ledgers. `holds`: the key of the entity that must not be closed before sent().
  Attempt(AttemptOwner& owner, DeliveryKey key, std::uint32_t number,
          std::optional<EntityKey> holds)
      : owner_(&owner), key_(std::move(key)), number_(number), holds_(holds) {}
  Attempt(Attempt&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        key_(std::move(other.key_)),
        number_(other.number_),
        holds_(std::exchange(other.holds_, std::nullopt)) {}
  Attempt& operator=(Attempt&& other) noexcept {
    if (this != &other) {
      if (owner_ != nullptr) owner_->dropped(*this);
      owner_ = std::exchange(other.owner_, nullptr);
      key_ = std::move(other.key_);
      number_ = other.number_;
      holds_ = std::exchange(other.holds_, std::nullopt);
    }
    return *this;
  }
  ~Attempt() {
    if (owner_ != nullptr) owner_->dropped(*this);
  }

  const DeliveryKey& key() const { return key_; }
  /// 1 for the first.
  std::uint32_t number() const { return number_; }
  /// Where the event's policy says `unless_closed`: while this is so, no operation that closes the
  /// entity is answered, and none begins on it at all. Others' attempts on it go on beside this.
  bool holds_entity() const { return holds_.has_value(); }
  /// The request is on its way: what closes the entity from now on comes after it. Call it when the
  /// answer is there, or a second after the last byte was written, whichever is sooner: so that no
  /// listener that hangs keeps an entity from being closed. end() and the destructor do it too. May
  /// be called more than once.
  void sent() {
    if (owner_ != nullptr && holds_) owner_->sent(*this);
  }

  // For ledgers.
  void use() { owner_ = nullptr; }
  std::optional<EntityKey> take_hold() { return std::exchange(holds_, std::nullopt); }

 private:
  AttemptOwner* owner_;
  DeliveryKey key_;
  std::uint32_t number_;
  std::optional<EntityKey> holds_;
};

/// The entity was closed: the delivery has ended as cancelled, durably, and must not be sent.
struct Cancelled {};
/// It is not pending: it has ended, or was purged.
struct NotPending {};
/// Somebody has it: another attempt is under way, an operator is changing it, or how an earlier
/// attempt ended waits for the disk.
struct Taken {};

using BeginResult = std::variant<Attempt, Cancelled, NotPending, Taken, Unavailable>;

/// How an attempt ended.
struct AttemptEnd {
  /// notified, dead, cancelled, removed; or failed: it is to be attempted again.
  DeliveryState state = DeliveryState::notified;
  /// state failed only: not before then.
  WallTime due{};
  /// state failed only: not before an operator says so (`unknown: hold`).
  bool held = false;
  /// Of the answer; 0: there was none.
  int status = 0;
  /// For operators; at most error_bytes_max (record.hpp), longer is cut.
  std::string_view error;
  /// False: nothing was sent (the circuit is open, the listener was removed): it is not counted as
  /// an attempt.
  bool attempted = true;
};

/// How a redrive ended.
enum class Redriven {
  done,      ///< it is pending, due at once, its attempts counted from 0 again
  absent,    ///< there is no such delivery (any more), or its payload is gone
  conflict,  ///< it is neither dead nor held, or somebody has it
  closed,    ///< its entity is closed, and its policy says unless_closed: it stays as it is
  stale,     ///< its entity has completed a higher sequence since: it stays as it is
  failed,    ///< the store cannot promise; it may have happened or not
};

struct PendingPage {
  /// In the order of their numbers.
  std::vector<PendingDelivery> items;
  /// There are more: behind the last of these.
  bool more = false;
};

struct DeliveryFilter {
  /// Absent: whichever.
  std::optional<Fingerprint> event;
  std::optional<std::string> listener;
  /// Empty: whichever.
  std::vector<DeliveryState> states;
  std::optional<std::string> policy;
  /// Of events that were stored then or later, and before `until`.
  std::optional<WallTime> since;
  std::optional<WallTime> until;
};

struct DeliveryPage {
  /// In the order of event number and listener's name.
  std::vector<DeliveryView> items;
  /// Where the next page begins: behind this one. Absent: this was the last. A page may be short,
  /// or empty, and not be the last: so much is looked at for a page and no more.
  std::optional<DeliveryKey> next;
};

/// Of one listener that the ledger knows.
struct ListenerFigures {
  std::string listener;
  /// Deliveries now: pending and failed together, and dead letters.
  std::uint64_t pending = 0;
  std::uint64_t dead = 0;
  /// Since the ledger was made: how deliveries ended (a redriven one may end twice).
  std::uint64_t notified_total = 0;
  std::uint64_t dead_total = 0;
  std::uint64_t cancelled_total = 0;
  std::uint64_t removed_total = 0;
  /// Attempts that failed and are tried again.
  std::uint64_t failed_total = 0;
  /// When the event of the first pending one was stored; absent: nothing is pending.
  std::optional<WallTime> oldest_pending;
};

struct LedgerFigures {
  /// In the order of their names. A listener stays in it once it had a delivery.
  std::vector<ListenerFigures> listeners;
  /// Events with a delivery that has not ended.
  std::uint64_t events_open = 0;
  /// Of the payloads that are kept, and their limit (LedgerOptions::bytes_max).
  std::uint64_t payload_bytes = 0;
  std::uint64_t payload_bytes_max = 0;
};

/// Who is told what became pending. Called on the thread that writes, before the event's
/// caller is answered: must be quick, must not call the ledger, and does not throw.
class LedgerWatch {
 public:
  /// `event` is durable and due at once for these listeners. So its payload need not be read again
  /// by a listener that has nothing else to do: keep the pointer within a bound, or let it go.
  virtual void stored(std::shared_ptr<const Event> event,
                      std::span<const std::string> listeners) noexcept = 0;
  /// It is pending again, below numbers that were read already.
  virtual void redriven(const DeliveryKey& key) noexcept = 0;

 protected:
  ~LedgerWatch() = default;
};

class Ledger {
 public:
  /// A listener's deliveries that have not ended, with numbers above `after`; at most `limit`.
  virtual std::variant<PendingPage, Unreadable> pending(std::string_view listener,
                                                        EventNumber after, std::size_t limit) = 0;
  /// The listeners with pending deliveries: for a start, and for those that were removed. Cheap.
  virtual std::vector<std::string> listeners_with_pending() const = 0;
  /// With its payload. Nothing: there is none of that number, or its payload is not kept any more.
  virtual std::variant<std::shared_ptr<const Event>, Unreadable> event(EventNumber number) = 0;

  /// Claims a pending delivery, whatever its due time. Where its policy says `unless_closed`, asks
  /// whether the entity is closed and holds it open until Attempt::sent(), atomically. Where an
  /// operation on the entity has its turn, the call waits until that is settled, so that what
  /// closes it comes before or after this and not beside it; on a loop without timers it waits as
  /// well.
  [[nodiscard]] virtual bool begin(const DeliveryKey& key, Call<BeginResult>& call) = 0;

  /// Settled::done: durable as `sync` says of completions. Settled::failed: not known to be; it is
  /// kept in memory, within bounds, and written once the database is back, and until then begin()
  /// says Taken. Settled::refused: the attempt was used up.
  [[nodiscard]] virtual bool end(Attempt attempt, const AttemptEnd& how, Call<Settled>& call) = 0;

  /// Another acknowledgement for the event's duplicates from now on, such as one that tells what
  /// the listeners answered. Settled::refused: its record is gone, or is another's.
  [[nodiscard]] virtual bool acknowledge(EventNumber event, StoredAnswer answer,
                                         Call<Settled>& call) = 0;

  /// A dead letter, or a held delivery, is to be delivered again.
  [[nodiscard]] virtual bool redrive(const DeliveryKey& key, Call<Redriven>& call) = 0;
  /// Ends a pending delivery, or a dead one, as removed: `why` is its error. Conflict: it ended
  /// otherwise, or an attempt is under way.
  [[nodiscard]] virtual bool drop(const DeliveryKey& key, std::string_view why,
                                  Call<Changed>& call) = 0;

  /// The events of one fingerprint, the newest first, at most `limit`.
  virtual std::variant<std::vector<EventView>, Unreadable> events(const Fingerprint& fingerprint,
                                                                  std::size_t limit) = 0;
  /// Deliveries behind `after`. Those that are pending or dead are found by an index where the
  /// filter asks for no others and names a listener; everything else is found by walking the
  /// events.
  virtual std::variant<DeliveryPage, Unreadable> deliveries(const DeliveryFilter& filter,
                                                            const std::optional<DeliveryKey>& after,
                                                            std::size_t limit) = 0;
  /// Reads a row for each listener.
  virtual LedgerFigures figures() const = 0;

  /// From now on `watch` is told; null: nobody is. Returns once nobody is told any more by the one
  /// before it.
  virtual void watch(LedgerWatch* watch) = 0;

 protected:
  ~Ledger() = default;
};

}  // namespace onceproxy::store
