// RecentAnswers: answers of operations whose completion was confirmed a moment ago, so that many
// duplicates at once are answered from memory. After a second an entry may not be used any more,
// because another instance may have forgotten, ended or released the operation without a
// notification.
//
// Bounded in bytes; the oldest entries are removed first. Thread-safe: sharded by fingerprint.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>

#include "store/answer.hpp"
#include "store/fingerprint.hpp"
#include "store/postgres/boot_clock.hpp"
#include "store/shards.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

struct RecentAnswer {
  using Time = BootClock::time_point;

  std::optional<PayloadDigest> payload;
  StoredAnswer answer;
  WallTime completed_at{};
  std::string trace;
  /// From then on the entry may not be used.
  Time until{};
};

class RecentAnswers {
 public:
  /// Keeps at most `bytes_max`, in equal parts for each shard. 0: keeps no entries.
  explicit RecentAnswers(std::size_t bytes_max) : shard_bytes_max_(bytes_max / Table::size) {}

  /// Null if there is no entry that may be used at `now`.
  std::shared_ptr<const RecentAnswer> find(const Fingerprint& fingerprint, RecentAnswer::Time now);
  /// Replaces an entry that may be used no longer than this one. Another one was read later, and
  /// may be of a later execution. An entry larger than an eighth of a shard's part is not kept.
  void add(const Fingerprint& fingerprint, RecentAnswer answer, RecentAnswer::Time now);
  void forget(const Fingerprint& fingerprint);
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Entry;
  using Order = std::list<Fingerprint>;
  struct Entry {
    std::shared_ptr<const RecentAnswer> answer;
    std::size_t bytes = 0;
    Order::iterator place;
  };
  struct Part {
    Order order;
    std::size_t bytes = 0;
    std::atomic<std::size_t> count{0};
  };
  using Table = Shards<Fingerprint, Entry, Part>;

  void drop(Table::Shard& home, const Fingerprint& fingerprint);

  const std::size_t shard_bytes_max_;
  std::atomic<std::size_t> bytes_{0};
  Table table_;
};

}  // namespace onceproxy::store
