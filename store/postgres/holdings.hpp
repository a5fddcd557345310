// Holdings: the reservations of this process, and until when each may be relied on. A duplicate of
// one of them is answered without the database, and while the database does not answer. Leases are
// counted from the moment that a statement was sent, by the steady clock, so they end here before
// they end in the database; a lease that ended here holds nothing any more.
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
#include "store/shards.hpp"
#include "store/terms.hpp"

namespace onceproxy::store {

struct Holding {
  using Time = std::chrono::steady_clock::time_point;

  Nonce nonce{};
  std::uint64_t fence = 0;
  std::optional<PayloadDigest> payload;
  Terms terms;
  /// From here on the reservation is not ours any more, as far as we know.
  Time lease_ends{};
  /// When the lease is to be renewed.
  Time renew{};
  /// Its answer may be given from memory.
  bool cached = true;
  /// A verb that ends it is under way.
  bool settling = false;
  /// ReserveRequest::trace.
  std::string trace;
  /// Told when the lease could not be renewed in time, on its loop.
  std::weak_ptr<LeaseWatch> watch;
  Loop* watch_loop = nullptr;
};

class Holdings {
 public:
  /// In the place of an earlier one under that name, whose watch is told.
  void add(const Fingerprint& fingerprint, Holding holding);

  struct Glance {
    /// Its payload is another than the one asked about.
    bool differs = false;
  };
  /// What is held under that name now.
  std::optional<Glance> glance(const Fingerprint& fingerprint,
                               const std::optional<PayloadDigest>& payload) const;

  /// The permit with `nonce` is used up. Nothing where it holds nothing any more. The entry stays
  /// until end(), but for its watch.
  std::optional<Holding> settling(const Fingerprint& fingerprint, const Nonce& nonce);
  /// The reservation is over, or no longer known to be ours.
  void end(const Fingerprint& fingerprint, const Nonce& nonce);
  /// An operator took it away.
  void revoke(const Fingerprint& fingerprint);
  /// Somebody else changed its record, or seems to have: looked at with the next renewal.
  void doubt(const Fingerprint& fingerprint);

  /// Tells `watch` if the lease ends; at once where the permit holds nothing any more.
  void watch(const Fingerprint& fingerprint, const Nonce& nonce, Loop& loop,
             std::weak_ptr<LeaseWatch> watch);

  struct Due {
    Fingerprint fingerprint;
    Nonce nonce{};
    std::chrono::milliseconds lease{0};
  };
  /// Those whose leases are to be renewed.
  std::vector<Due> due(Holding::Time now) const;
  /// A renewal that was sent at `sent` has succeeded.
  void renewed(const Due& due, Holding::Time sent);
  /// It could not be renewed, since its record is another's or gone: its watch is told. One that is
  /// being settled stays.
  void lose(const Due& due);
  /// Takes out those whose leases have ended, tells their watches, and returns how many.
  std::size_t end_leases(Holding::Time now);

  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  using Table = Shards<Fingerprint, Holding>;

  std::atomic<std::size_t> size_{0};
  Table table_;
};

}  // namespace onceproxy::store
