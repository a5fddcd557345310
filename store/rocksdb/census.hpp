// Census: how many records are in which state, for gauges. A thread of its own walks over all of
// them, again and again, so many at a time with a pause between: nothing is counted where requests
// go, and a reservation that nobody holds becomes unknown without a write.
// Fingerprints are digests, so what is not looked at yet is like what is: counts are estimates
// until everything was, and as old as a walk takes (10,000 records: 10 s; ten million: an hour and
// a half).
//
// counts() and stop() are thread-safe.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <thread>

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
  /// Ends the walk. Idempotent.
  void stop();

 private:
  /// Of the space of fingerprints. One is counted at once: a hundred million records are 24,000
  /// each.
  static constexpr std::size_t slices = 4096;
  struct Slice {
    std::uint32_t reserved = 0;
    std::uint32_t completed = 0;
    std::uint32_t unknown = 0;
  };

  void run();
  void count_some();
  void add(Slice& slice, std::string_view key, std::string_view value, WallTime now) const;

  const Parts parts_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::array<Slice, slices> counted_{};
  /// How many of them were counted since the start, from the first.
  std::size_t known_ = 0;
  /// The thread's own: where it goes on.
  std::size_t next_ = 0;
  std::thread thread_;
};

}  // namespace onceproxy::store
