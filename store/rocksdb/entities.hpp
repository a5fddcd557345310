// Entities: which call has the turn of which entity, which calls wait for it, and what is known of
// it. An entity is read from disk when a reserve first asks for it and stays in memory while a call
// uses it (has the turn, waits for it, or holds a reservation on it). During this time the state in
// memory counts, and the committer writes from it. A turn that the disk gives to a reservation of a
// process that died is taken until that reservation's lease ends.
//
// Thread-safe: sharded by key. A first use waits for the disk with its shard locked. Nothing is
// delivered with a lock held: what must be delivered is added to `out`.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>

#include "store/entity.hpp"
#include "store/inspection.hpp"
#include "store/lease.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/delivery.hpp"
#include "store/shards.hpp"

namespace onceproxy::store {

class Entities {
 public:
  /// All outlive it.
  Entities(const Database& database, const RocksDbObserver& observer, const Era& era,
           std::size_t queue_max)
      : database_(database), observer_(observer), era_(era), queue_max_(queue_max) {}

  enum class Entered {
    yes,     ///< a user, with the turn if the terms ask for one
    busy,    ///< another call has the turn, and there was no waiter
    queued,  ///< the waiter is a user, and is delivered when it has the turn
    full,    ///< too many wait
    failed,  ///< the disk cannot be read
    corrupt,
  };
  /// `waiter` waits if it must; may be null. It stays the caller's unless it is queued.
  Entered enter(const EntityTerms& terms, WallTime now, Waiter* waiter);
  /// Ends a wait. False if it is over already: the waiter is being delivered, with the turn.
  bool give_up(const EntityKey& key, Waiter& waiter);
  /// A user goes; `turn` it had goes to the call that has waited longest.
  void leave(const EntityKey& key, bool turn, Delivery& out);
  /// A user goes and leaves its turn to its reservation's lease, as a process that dies does.
  void abandon(const EntityKey& key, WallTime lease_end);

  /// The result of hold(), which prevents the entity from being closed. Several holds may exist at
  /// once, and no turn begins while one exists. A queued turn precedes later holds, and holds that
  /// waited for a turn precede the next turn.
  enum class Held {
    yes,      ///< a user, until end_hold()
    closed,   ///< it is closed: not a user
    waits,    ///< another has the turn: the waiter is a user, and is delivered when that is over
    stopped,  ///< the store lets no call wait any more
    failed,   ///< the disk cannot be read
    corrupt,
  };
  Held hold(const EntityKey& key, WallTime now, HoldWaiter& waiter);
  /// For the call that waited and has the hold now.
  bool is_closed(const EntityKey& key, WallTime now) const;
  /// `held`: false if the waiter was delivered without it.
  void end_hold(const EntityKey& key, bool held, Delivery& out);

  // For users only:
  EntityVerdict judge(const EntityTerms& terms, WallTime now) const;
  /// Its turn belongs to a reservation now, whose lease can be over then at the latest.
  void hold(const EntityKey& key, const Entity::Holder& holder, WallTime lease_end);
  void completed(const EntityOperation& operation, std::chrono::milliseconds window, WallTime now);
  EntityBefore before(const EntityKey& key) const;
  /// It was not completed after all.
  void undo(const EntityKey& key, const EntityBefore& before);
  std::string encoded(const EntityKey& key) const;

  /// The lease of the reservation that has the turn can now be over then at the latest: what is to
  /// be written. Nothing if the entity is not in use any more.
  std::optional<std::string> extended(const EntityKey& key, WallTime lease_end);
  /// Gives on the turns of dead processes whose leases are over.
  void end_dead_turns(WallTime now, Delivery& out);
  /// The same for the one of this reservation, before its lease is over.
  void end_dead_turn(const Fingerprint& holder, Delivery& out);
  /// From now on no call may wait. Those that do are delivered, without the turn.
  void stop_waiting(Delivery& out);

  // For operators:
  std::variant<std::optional<EntityView>, Unreadable> view(const EntityKey& key,
                                                           WallTime now) const;
  /// Opens it in memory; the caller is a user then (Changed::done), and has it written.
  Changed open(const EntityKey& key, WallTime now);

  std::size_t size() const;

 private:
  struct Entry {
    Entity entity;
    std::size_t users = 0;
    bool taken = false;
    /// The turn is a dead process's, until then.
    std::optional<WallTime> dead_until;
    WaiterList queue;
    /// Those that keep it from being closed, and those that wait to.
    std::size_t holds = 0;
    HoldWaiterList parked;
  };
  using Table = Shards<EntityKey, Entry>;
  using Found = std::unordered_map<EntityKey, Entry>::iterator;

  std::variant<Entry, Unavailable> load(const EntityKey& key, WallTime now) const;
  std::variant<Found, Unavailable> find_or_load(Table::Shard& home, const EntityKey& key,
                                                WallTime now);
  static void pass_on(Entry& entry, Delivery& out);
  static void give_turn(Entry& entry, Delivery& out);
  static void admit_holds(Entry& entry, Delivery& out);
  void end_dead(Entry& entry);
  void leave(Table::Shard& home, Found found);

  const Database& database_;
  const RocksDbObserver& observer_;
  const Era& era_;
  const std::size_t queue_max_;
  Table table_;
  std::atomic<std::size_t> dead_turns_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace onceproxy::store
