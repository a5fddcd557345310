// CompletedCache: a cache of completed records that were requested again, so that frequent
// duplicates are answered without the database. In a store with millions of records this replaces
// reads of several files by one lookup in a table.
//
// The cache is consistent for these reasons. A record is added only by the holder of the claim on
// its fingerprint (Reservations), after the database has confirmed that it is completed. It is
// removed before anything is written under that fingerprint.
//
// A completed record can change without a claim in only one way: another operation ends it. The
// record is then removed here after it was deleted in the database, and a reader that read it
// before no longer adds it (Generation). So the cache is equal to the disk, except between these
// two steps. The reader checks expiry, as with the database.
//
// The size is limited in bytes. When the cache is full, SIEVE (Zhang et al., NSDI 2024) selects the
// record to remove: the oldest one that was not requested since it was last checked. Therefore a
// burst of duplicates of a million operations does not remove the few records that are requested
// all the time.
//
// Thread-safe: sharded by fingerprint, with one mutex for each shard. If a shard is empty, which is
// usual while operations are not repeated, a lookup needs no lock.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "store/record.hpp"
#include "store/shards.hpp"

namespace onceproxy::store {

class CompletedCache {
 public:
  /// Keeps at most `bytes_max`, in equal parts for each shard. 0: keeps nothing.
  explicit CompletedCache(std::size_t bytes_max) : shard_bytes_max_(bytes_max / Table::size) {}

  /// The completed record with its answer (`answer_apart` is false); nullptr if it is not in the
  /// cache.
  std::shared_ptr<const Record> find(const Fingerprint& fingerprint);

  /// Must be read before the database is asked for a record to add.
  using Generation = std::uint64_t;
  Generation generation(const Fingerprint& fingerprint) const;

  /// `record` is completed and contains its answer. The caller has the claim on `fingerprint`. A
  /// record is not added if it is larger than an eighth of a shard's part, or if a record was
  /// removed since `before`.
  void add(const Fingerprint& fingerprint, const Record& record, Generation before);

  /// Called before anything is written under `fingerprint`.
  void remove(const Fingerprint& fingerprint);

  /// Called after the record was deleted, before the result is reported.
  void forget(const Fingerprint& fingerprint);

  /// The memory of the records and their administration.
  std::size_t bytes() const;

 private:
  /// It leaves the queue when it is destroyed.
  struct Entry : boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Fingerprint fingerprint;
    std::shared_ptr<const Record> record;
    std::size_t bytes = 0;
    /// Whether it was requested since the hand last passed it.
    bool asked_for = false;
  };
  /// In order of arrival, newest first.
  using Queue = boost::intrusive::list<Entry, boost::intrusive::constant_time_size<false>>;
  struct Part {
    Queue queue;
    Queue::iterator hand = queue.end();
    std::size_t bytes = 0;
    /// Changed under the lock and read without it: a reader that read it before a change notices
    /// this when it adds a record.
    std::atomic<Generation> generation = 0;
    /// The number of entries, also read without the lock. A reader that must see an entry is
    /// synchronized in another way: it has the claim on the fingerprint, or got the operation from
    /// the previous holder.
    std::atomic<std::size_t> count = 0;
    bool empty() const { return count.load(std::memory_order_relaxed) == 0; }
  };
  using Table = Shards<Fingerprint, Entry, Part>;

  static void drop(Table::Shard& shard, Entry& entry);
  static void drop_one(Table::Shard& shard);

  const std::size_t shard_bytes_max_;
  Table table_;
};

}  // namespace onceproxy::store
