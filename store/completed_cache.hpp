// CompletedCache: completed records that were asked for again, kept in memory, so that a duplicate
// that comes again and again is answered without the database. In a store of millions of records
// that is the difference between a look into a table and one into several files.
//
// What makes it safe: a record is added only by the holder of the claim on its fingerprint
// (Reservations), after the database has said that it is completed; and it is removed before
// anything is written under that fingerprint. One thing else can change a completed record: another
// operation that ends it, which has no claim. It forgets the record here after it was deleted
// there, and a reader that looked before that adds nothing any more (Generation). So what is here
// is what is on disk, but for the moment between the two. Expiry is decided by the reader, as for
// the database.
//
// Bounded in bytes. Which record goes when there is no room is decided by SIEVE (Zhang et al.,
// NSDI 2024): one that was not asked for since it was last looked at, the oldest of them first. So
// a storm of duplicates of a million operations does not push out the few that come all the time.
//
// Thread-safe: sharded by fingerprint, one mutex a shard. Where a shard holds nothing, which is the
// rule while operations are not repeated, looking costs no lock.
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

  /// The completed record with its answer (`answer_apart` is false); null where it is not kept.
  std::shared_ptr<const Record> find(const Fingerprint& fingerprint);

  /// To be taken before the database is asked for what is to be added.
  using Generation = std::uint64_t;
  Generation generation(const Fingerprint& fingerprint) const;

  /// `record` is completed, and holds its answer. The caller has the claim on `fingerprint`. A
  /// record larger than an eighth of a shard's part is not kept, nor one where something was
  /// forgotten since `before`.
  void add(const Fingerprint& fingerprint, const Record& record, Generation before);

  /// Before anything is written under `fingerprint`.
  void remove(const Fingerprint& fingerprint);

  /// After the record was deleted, before anybody is told.
  void forget(const Fingerprint& fingerprint);

  /// What the records take, with what keeps them.
  std::size_t bytes() const;

 private:
  /// Leaves the queue when it is destroyed.
  struct Entry : boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Fingerprint fingerprint;
    std::shared_ptr<const Record> record;
    std::size_t bytes = 0;
    /// Since the hand last passed it.
    bool asked_for = false;
  };
  /// In order of arrival, newest first.
  using Queue = boost::intrusive::list<Entry, boost::intrusive::constant_time_size<false>>;
  struct Part {
    Queue queue;
    Queue::iterator hand = queue.end();
    std::size_t bytes = 0;
    /// Changed under the lock, and read without it: whoever read it before a change finds out when
    /// it adds.
    std::atomic<Generation> generation = 0;
    /// How many there are, also without the lock. Who is to see an entry knows of it by other
    /// means: it has the claim on the fingerprint, or got the operation of one who had.
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
