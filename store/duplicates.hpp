// Duplicates: how often each operation was asked for again, and when last. Counted in memory by
// whoever is told of a duplicate, and written about once a second by the committer, a bounded
// number at a time: a storm over more operations than that lags behind, it is not lost until the
// table is full. It decides nothing.
//
// Thread-safe: sharded by fingerprint.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/fingerprint.hpp"
#include "store/shards.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

struct DuplicateCount {
  std::uint64_t number = 0;
  WallTime last{};
  /// From then on it says nothing: the operation it counts for is forgotten.
  WallTime expires{};
};

/// `later` happened after what `earlier` counted; that no longer counts once it has expired.
DuplicateCount sum(const DuplicateCount& earlier, const DuplicateCount& later);

class Duplicates {
 public:
  explicit Duplicates(std::size_t operations_max) : operations_max_(operations_max) {}

  /// One more, which is remembered as long as its operation may be. Of a new operation nothing is
  /// noted where the table is full.
  void note(const Fingerprint& fingerprint, WallTime now, std::chrono::milliseconds window);

  /// Held from take() until what was taken is written, and by readers of both what is written
  /// and what is noted: so that nothing is missed between the two, nor counted twice.
  std::unique_lock<std::shared_mutex> writing() const { return std::unique_lock(moving_); }
  std::shared_lock<std::shared_mutex> reading() const { return std::shared_lock(moving_); }

  /// Takes at most so many out, to be written.
  std::vector<std::pair<Fingerprint, DuplicateCount>> take(std::size_t operations);
  /// What was noted and not taken yet.
  std::optional<DuplicateCount> noted(const Fingerprint& fingerprint) const;

 private:
  using Table = Shards<Fingerprint, DuplicateCount>;

  const std::size_t operations_max_;
  std::atomic<std::size_t> size_{0};
  /// Where take() goes on. The committer's thread alone.
  std::size_t next_ = 0;
  Table table_;
  mutable std::shared_mutex moving_;
};

/// The value under a fingerprint; its grammar stands in duplicates.cpp. Nothing where the bytes are
/// none.
std::string encode(const DuplicateCount& count);
std::optional<DuplicateCount> decode_duplicates(std::string_view bytes);
std::optional<WallTime> decode_duplicates_expiry(std::string_view bytes);

}  // namespace onceproxy::store
