// RecentAnswers: completed operations that were confirmed a moment ago, with their answers, so that
// a storm of duplicates is answered from memory. A second later an entry is worth nothing: another
// instance may have forgotten, ended or released the operation, and nobody tells.
//
// Bounded in bytes; what was confirmed first goes first. Thread-safe: sharded by fingerprint.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>

#include "store/answer.hpp"
#include "store/fingerprint.hpp"
#include "store/shards.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

struct RecentAnswer {
  using Time = std::chrono::steady_clock::time_point;

  std::optional<PayloadDigest> payload;
  StoredAnswer answer;
  WallTime completed_at{};
  std::string trace;
  /// From then on it does not count.
  Time until{};
};

class RecentAnswers {
 public:
  /// Keeps at most `bytes_max`, in equal parts for each shard. 0: keeps nothing.
  explicit RecentAnswers(std::size_t bytes_max) : shard_bytes_max_(bytes_max / Table::size) {}

  /// Null where none counts at `now`.
  std::shared_ptr<const RecentAnswer> find(const Fingerprint& fingerprint, RecentAnswer::Time now);
  /// In place of an earlier one. One larger than an eighth of a shard's part is not kept.
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
