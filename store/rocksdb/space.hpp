// Space: how much the directory holds, whether that is above the soft cap, and getting expired
// records out of it when it is. A cap of RocksDB's own would leave out the log and fail hard.
//
// full() and bytes() are thread-safe; measure() and stop_reclaiming() belong to one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "store/rocksdb/database.hpp"

namespace onceproxy::store {

class Space {
 public:
  /// All must outlive it.
  Space(const RocksDbOptions& options, const Tuning& tuning, const Database& database,
        const Clock& clock, const RocksDbObserver& observer);
  ~Space();
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  /// Looks at the directory; reports crossing the cap either way; starts reclaiming when above.
  void measure();
  /// Returns when no reclaiming is under way any more.
  void stop_reclaiming();

  bool full() const { return full_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void start_reclaiming();

  const RocksDbOptions& options_;
  const Tuning& tuning_;
  const Database& database_;
  const Clock& clock_;
  const RocksDbObserver& observer_;
  std::atomic<bool> full_{false};
  std::atomic<std::uint64_t> bytes_{0};

  std::thread reclaiming_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> running_{false};
  std::chrono::steady_clock::time_point next_reclaiming_{};
};

}  // namespace onceproxy::store
