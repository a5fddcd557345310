// Holdings: the reservations of this process, and how long each may be relied on. A duplicate of
// one of them is answered without asking the database, also while the database does not answer.
// Leases are counted by BootClock from the moment at which a statement was sent, so they end
// here before they end in the database. A reservation whose lease has ended here does not count any
// more.
//
// Thread-safe: sharded by fingerprint.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/call.hpp"
#include "store/fingerprint.hpp"
#include "store/lease_watch.hpp"
#include "store/permit.hpp"
#include "store/postgres/boot_clock.hpp"
#include "store/shards.hpp"
#include "store/terms.hpp"

namespace onceproxy::store {

struct Holding {
  using Time = BootClock::time_point;

  Nonce nonce{};
  std::uint64_t fence = 0;
  std::optional<PayloadDigest> payload;
  Terms terms;
  /// When the lease ends. From then on the reservation does not count any more.
  Time lease_ends{};
  /// When the lease is to be renewed.
  Time renew{};
  /// An earlier statement of the same reserve, whose reply was lost, may still be executed until
  /// then.
  Time doubt_ends{};
  /// The answer may be replayed from memory.
  bool cached = true;
  /// Its completion changes nothing but its record.
  bool alone = false;
  /// It is being settled: complete, release or mark_unknown is under way.
  bool settling = false;
  /// ReserveRequest::trace.
  std::string trace;
  /// Called on its loop if the lease could not be renewed in time.
  std::weak_ptr<LeaseWatch> watch;
  Loop* watch_loop = nullptr;
};

class Holdings {
 public:
  /// Replaces an earlier holding of that fingerprint, whose watch is then called.
  void add(const Fingerprint& fingerprint, Holding holding);

  struct Glance {
    /// It has another payload than the one asked about.
    bool differs = false;
    /// Its outcome is being written, so others may know it already.
    bool settling = false;
  };
  /// What is held under that fingerprint at `now`. Nothing if the lease has ended, even if an
  /// outcome is still being written. With Time() leases are not looked at.
  std::optional<Glance> glance(const Fingerprint& fingerprint,
                               const std::optional<PayloadDigest>& payload,
                               Holding::Time now) const;

  /// Whether the permit with `nonce` holds the reservation at `now`.
  bool holds(const Fingerprint& fingerprint, const Nonce& nonce, Holding::Time now) const;

  /// Begins to settle the holding of the permit with `nonce`. Nothing if that permit does not hold
  /// it any more. The entry stays until end(), without its watch.
  std::optional<Holding> settling(const Fingerprint& fingerprint, const Nonce& nonce);
  /// Removes the holding: the reservation is over, or may belong to somebody else.
  void end(const Fingerprint& fingerprint, const Nonce& nonce);
  /// The nonce of the holding, if there is one.
  std::optional<Nonce> nonce(const Fingerprint& fingerprint) const;
  /// An operator has ended a reservation; `before` was held before the database was asked for that.
  /// Removes that holding, and calls its watch. Another one was made since, and may be a later
  /// reservation, so the next renewal checks it, as doubt() says.
  void revoke(const Fingerprint& fingerprint, const std::optional<Nonce>& before);
  /// Another instance has changed the record, or may have. The next renewal checks it.
  void doubt(const Fingerprint& fingerprint);
  /// The same for all of them: notifications may have been lost.
  void doubt_all();

  /// Calls `watch` when the lease ends, or at once if the permit does not hold the reservation any
  /// more.
  void watch(const Fingerprint& fingerprint, const Nonce& nonce, Loop& loop,
             std::weak_ptr<LeaseWatch> watch);

  struct Due {
    Fingerprint fingerprint;
    Nonce nonce{};
    std::chrono::milliseconds lease{0};
  };
  /// The holdings whose leases must be renewed now.
  std::vector<Due> due(Holding::Time now) const;
  /// The renewal that was sent at `sent` has succeeded.
  void renewed(const Due& due, Holding::Time sent);
  /// The lease could not be renewed, because the record belongs to another reservation or does not
  /// exist any more. Calls the watch. A holding that is being settled stays.
  void lose(const Due& due);
  /// Removes the holdings whose leases have ended, calls their watches, and returns their number.
  std::size_t end_leases(Holding::Time now);

  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  using Table = Shards<Fingerprint, Holding>;

  std::atomic<std::size_t> size_{0};
  Table table_;
};

}  // namespace onceproxy::store
