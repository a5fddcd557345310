// Reservations: who in this process holds which fingerprint. It is what makes one of any number of
// concurrent callers the first, before anything is on disk, and what a permit is checked against.
//
// An entry lives from the claim until nothing in memory may write its record any more: as long as
// it is there, nobody else can claim the fingerprint. It does no I/O and knows no clock.
//
// Thread-safe: sharded by fingerprint, one mutex a shard, none held while another is taken.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "store/record.hpp"

namespace onceproxy::store {

class Reservations {
 public:
  explicit Reservations(std::size_t entries_max) : entries_max_(entries_max) {}

  enum class Claim {
    mine,       ///< the caller now has the entry, and must look on disk
    looking,    ///< another caller has it and is still looking on disk
    in_flight,  ///< somebody holds the reservation
    mismatch,   ///< the same, with another payload
    full,       ///< no more entries are allowed
  };
  Claim claim(const Fingerprint& fingerprint, const std::optional<PayloadDigest>& payload);
  /// How things stand now, for a caller that has no claim but has looked on disk meanwhile.
  struct Glance {
    bool present = false;
    bool looking = false;  ///< still: the disk is as it was when the caller looked
    bool differs = false;  ///< its payload is another than the caller's
  };
  Glance glance(const Fingerprint& fingerprint, const std::optional<PayloadDigest>& payload) const;
  /// Gives back a claim: the disk had the answer.
  void unclaim(const Fingerprint& fingerprint);

  /// The claim became a reservation, described by `record`, that is on its way to the disk.
  void reserving(const Fingerprint& fingerprint, const Record& record, const Terms& terms);
  /// It is durable: its permit may settle it, and its lease is extended.
  void held(const Fingerprint& fingerprint);

  struct Holding {
    Record record;
    Terms terms;
  };
  /// The permit with `nonce` is used up. Nothing where it no longer holds the reservation. The
  /// entry stays until erase(), so that nobody is let in before the outcome is written.
  std::optional<Holding> settling(const Fingerprint& fingerprint, const Nonce& nonce);
  /// The permit was dropped: the record is left to its lease. False where it held nothing.
  bool drop(const Fingerprint& fingerprint, const Nonce& nonce);
  void erase(const Fingerprint& fingerprint);

  struct Extension {
    Fingerprint fingerprint;
    Record record;  ///< as it is to be written, with its lease counted from `now`
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
    Holding holding;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<Fingerprint, Entry> entries;
  };

  static Claim judge(const Entry& entry, const std::optional<PayloadDigest>& payload);
  Shard& shard(const Fingerprint& fingerprint);
  const Shard& shard(const Fingerprint& fingerprint) const;

  const std::size_t entries_max_;
  std::atomic<std::size_t> size_{0};
  std::array<Shard, 64> shards_;
};

/// Terms put to work: when a reservation made or extended at `now` is left alone until, and when
/// it is forgotten. It must outlive its lease by a window, since from then on it counts as unknown.
void start_lease(Record& record, const Terms& terms, WallTime now);

/// Both known and different.
bool differ(const std::optional<PayloadDigest>& one, const std::optional<PayloadDigest>& other);

}  // namespace onceproxy::store
