// Census: the number of records in each state, for gauges. A separate thread reads all records
// repeatedly, in small parts with pauses. Counting in the requests would not be enough, because a
// reservation that no call holds becomes unknown without a write. Fingerprints are uniformly
// distributed, so the counts are estimated from the part that was read. They are as old as one pass
// takes (10,000 records: 10 s; ten million: an hour and a half; the first pass takes a tenth of
// that).
//
// Records whose outcome is unknown wait for an operator, so they are counted sooner: if one becomes
// known or unknown, the part of the records that it belongs to is read again within a second or so.
// Of them it is also known whose they are, and for how long.
//
// counts(), look_again() and stop() are thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/lease.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/reservations.hpp"
#include "store/rocksdb/stats.hpp"
#include "store/rocksdb/tuning.hpp"

namespace onceproxy::store {

class Census {
 public:
  /// All of it outlives the census.
  struct Parts {
    const Database& database;
    const Reservations& reservations;
    const Clock& clock;
    const Era& era;
    const Tuning& tuning;
  };
  explicit Census(const Parts& parts);
  ~Census();
  Census(const Census&) = delete;
  Census& operator=(const Census&) = delete;

  RecordCounts counts() const;
  /// The record of that fingerprint may have become unknown, or be so no longer. Cheap.
  void look_again(const Fingerprint& fingerprint) noexcept;
  /// Ends the walk. Idempotent.
  void stop();

 private:
  /// Of the space of fingerprints. One is counted at once: a hundred million records are 24,000
  /// each.
  static constexpr std::size_t slices = 4096;
  struct Unknown {
    std::string policy;
    bool hold = false;
    std::uint32_t count = 0;
    WallTime since{};
  };
  struct Slice {
    std::uint32_t reserved = 0;
    std::uint32_t completed = 0;
    std::uint32_t unknown = 0;
    std::vector<Unknown> unknown_by_policy;
    /// After this time the counts change without a write.
    WallTime until = WallTime::max();
  };

  void run();
  void count_some();
  void count_changed();
  std::vector<Slice> count(std::size_t first, std::size_t records_max,
                           std::size_t& looked_at) const;
  void add(Slice& slice, std::string_view key, std::string_view value, WallTime now) const;
  static void add_unknown(Slice& slice, const Record& record, WallTime since);

  const Parts parts_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::vector<Slice> counted_ = std::vector<Slice>(slices);
  /// How many of them were counted since the start, from the first.
  std::size_t known_ = 0;
  std::array<std::atomic<bool>, slices> changed_since_{};
  /// Only for the thread: where it continues, and where it continues to read what has changed.
  std::size_t next_ = 0;
  std::size_t next_changed_ = 0;
  std::thread thread_;
};

}  // namespace onceproxy::store
