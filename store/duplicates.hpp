// Duplicates: counts how often each operation was requested again, and when last. The counts are
// kept in memory, and the committer writes a limited number of them about once a second. If more
// operations are repeated, writing lags behind, but nothing is lost until the table is full. It
// makes no decisions.
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
  /// When it expires, because its operation is forgotten.
  WallTime expires{};
};

/// Adds `later` to `earlier`, unless `earlier` has expired.
DuplicateCount sum(const DuplicateCount& earlier, const DuplicateCount& later);

class Duplicates {
 public:
  explicit Duplicates(std::size_t operations_max) : operations_max_(operations_max) {}

  /// Counts one duplicate, which is kept as long as its operation. If the table is full, no new
  /// operation is added.
  void note(const Fingerprint& fingerprint, WallTime now, std::chrono::milliseconds window);

  /// Held from take() until the taken counts are written, and by readers of both the written and
  /// the counted values, so that nothing is missed or counted twice.
  std::unique_lock<std::shared_mutex> writing() const { return std::unique_lock(moving_); }
  std::shared_lock<std::shared_mutex> reading() const { return std::shared_lock(moving_); }

  /// Removes at most this many counts, to be written.
  std::vector<std::pair<Fingerprint, DuplicateCount>> take(std::size_t operations);
  /// The counts that were not taken yet.
  std::optional<DuplicateCount> noted(const Fingerprint& fingerprint) const;

 private:
  using Table = Shards<Fingerprint, DuplicateCount>;

  const std::size_t operations_max_;
  std::atomic<std::size_t> size_{0};
  /// Where take() continues. Used only by the committer's thread.
  std::size_t next_ = 0;
  Table table_;
  mutable std::shared_mutex moving_;
};

/// The value under a fingerprint; duplicates.cpp describes its format. Nothing if the bytes are not
/// valid.
std::string encode(const DuplicateCount& count);
std::optional<DuplicateCount> decode_duplicates(std::string_view bytes);
std::optional<WallTime> decode_duplicates_expiry(std::string_view bytes);

}  // namespace onceproxy::store
