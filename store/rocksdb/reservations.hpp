// Reservations: which call in this process holds which fingerprint. With it, exactly one of several
// concurrent calls is the first, before anything is on disk. Permits are checked against it.
//
// An entry exists from the claim until nothing in memory may write its record any more. As long as
// it exists, no other call can claim the fingerprint. Calls that wait for the outcome wait at the
// entry. If the operation completes, all of them continue and look for the record. Otherwise the
// entry passes, as a claim, to the call that has waited longest, so that none is forgotten and only
// one at a time tries.
//
// This class does no I/O and knows no clock. No call is delivered while a lock is held: calls to
// deliver are added to `out`.
//
// Thread-safe: sharded by fingerprint, with one mutex for each shard. No mutex is held while
// another is taken.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "store/judgement.hpp"
#include "store/lease.hpp"
#include "store/record.hpp"
#include "store/rocksdb/delivery.hpp"
#include "store/rocksdb/held_resources.hpp"
#include "store/shards.hpp"

namespace onceproxy::store {

class Reservations {
 public:
  explicit Reservations(std::size_t entries_max) : entries_max_(entries_max) {}

  enum class Claim {
    mine,       ///< the caller now has the entry, and must look on disk
    looking,    ///< another caller has it and is still looking on disk
    in_flight,  ///< a call holds the reservation
    mismatch,   ///< the same, with another payload
    full,       ///< no more entries are allowed
  };
  Claim claim(const Fingerprint& fingerprint, const std::optional<PayloadDigest>& payload);
  /// The same for an operator, behind whom no request stands.
  Claim claim_for_operator(const Fingerprint& fingerprint);
  /// How things stand now, for a caller that has no claim but has looked on disk meanwhile.
  struct Glance {
    bool present = false;
    bool looking = false;  ///< still: the disk is as it was when the caller looked
    bool differs = false;  ///< its payload is another than the caller's
    /// It is being done at this moment, or is done, whatever becomes of the disk.
    bool under_way = false;
    bool by_operator = false;  ///< an operator has it
    bool ended = false;        ///< it will not be remembered
  };
  Glance glance(const Fingerprint& fingerprint, const std::optional<PayloadDigest>& payload) const;
  enum class Parked {
    yes,       ///< the waiter is handed out by whatever ends the entry
    gone,      ///< there is no entry (any more), or no call waits any more: claim again
    mismatch,  ///< the entry has another payload
  };
  /// Waits at the entry, whichever call has it.
  Parked park(const Fingerprint& fingerprint, const std::optional<PayloadDigest>& payload,
              Waiter& waiter);
  /// Ends a wait. False if it is over already: the waiter is being delivered.
  bool give_up(const Fingerprint& fingerprint, Waiter& waiter);
  /// From now on no call may wait. Those that do are delivered.
  void stop_waiting(Delivery& out);

  /// The claim became a reservation, described by `record`, that is on its way to the disk.
  void reserving(const Fingerprint& fingerprint, const Record& record, const Terms& terms,
                 std::unique_ptr<const HeldResources> resources = nullptr);
  /// It is durable: its permit may settle it, and its lease is extended.
  void held(const Fingerprint& fingerprint);

  struct Holding {
    Record record;
    Terms terms;
  };
  struct Settling : Holding {
    const HeldResources* resources = nullptr;  ///< valid until end(); null if it has none
  };
  /// The permit with `nonce` is used up. Nothing if it no longer holds the reservation. The
  /// entry stays until end(), so that no call is let in before the outcome is written. `done`: the
  /// operation happened.
  std::optional<Settling> settling(const Fingerprint& fingerprint, const Nonce& nonce,
                                   bool done = false);

  /// Another operation ends this one: if it is under way, it will not be remembered. From now on a
  /// request for it is a new operation.
  void end_memory(const Fingerprint& fingerprint);
  /// Whether end_memory() was called for it; asked by the thread that writes its outcome.
  bool is_ended(const Fingerprint& fingerprint) const;
  /// Whether a call holds the reservation, or is making or settling it: the record must not be
  /// changed.
  bool is_under_way(const Fingerprint& fingerprint) const;

  /// As settling(), without the permit, which holds nothing any more. Nothing if no call holds the
  /// reservation, or it is changing its state.
  std::optional<Settling> revoke(const Fingerprint& fingerprint);
  /// Whether a call holds the reservation with that nonce, or is making or settling it.
  bool is_held(const Fingerprint& fingerprint, const Nonce& nonce) const;

  /// The record of an operation that completed, with its answer; asked under a lock.
  using OutcomeOf = std::function<std::shared_ptr<const Record>()>;
  /// A claim is given back, or a reservation is over; its resources are for the caller to undo.
  /// Delivers all that waited if the disk has the answer (`completed`), else the one that has
  /// the claim now. Of one that was ended all are delivered, and those that waited before that get
  /// its `outcome`, since the disk will not have it.
  std::unique_ptr<const HeldResources> end(const Fingerprint& fingerprint, bool completed,
                                           Delivery& out, const OutcomeOf& outcome = nullptr);
  struct Dropped {
    std::unique_ptr<const HeldResources> resources;
    WallTime lease_end{};  ///< when it can be over at the latest
  };
  /// The permit was dropped: the record is left to its lease. Nothing if it held nothing.
  std::optional<Dropped> drop(const Fingerprint& fingerprint, const Nonce& nonce, Delivery& out);

  struct Extension {
    Fingerprint fingerprint;
    Record record;  ///< as it is to be written, with its lease counted from `now`
    /// The entity whose turn it has, and keeps for longer with it.
    std::optional<EntityKey> entity;
  };
  /// Every held reservation of whose lease more than a quarter has passed.
  std::vector<Extension> due(WallTime now) const;
  /// An extension is on disk.
  void extended(const Extension& extension);

  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  enum class Stage : std::uint8_t { looking, reserving, held, settling };
  struct Entry {
    Stage stage = Stage::looking;
    bool done = false;         ///< settling: the operation happened
    bool by_operator = false;  ///< looking: for an operator
    bool ended = false;        ///< under way: it will not be remembered
    Holding holding;
    std::unique_ptr<const HeldResources> resources;
    WaiterList waiters;
  };
  using Table = Shards<Fingerprint, Entry>;
  using Found = std::unordered_map<Fingerprint, Entry>::iterator;

  static Settling begin_to_settle(Entry& entry, bool done);
  Claim claim(const Fingerprint& fingerprint, const std::optional<PayloadDigest>& payload,
              bool by_operator);
  static Claim judge(const Entry& entry, const std::optional<PayloadDigest>& payload);
  std::unique_ptr<const HeldResources> end(Table::Shard& home, Found found, bool completed,
                                           Delivery& out, const OutcomeOf& outcome);
  static void hand_out(Entry& entry, const OutcomeOf& outcome, Delivery& out);

  const std::size_t entries_max_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::size_t> ended_{0};
  std::atomic<bool> stopped_{false};
  Table table_;
};

}  // namespace onceproxy::store
