// LeaseEstimate: how long the forwards of a policy take, and the lease that follows from that:
// three times their 99th percentile. A lease that is too short lets an operation be done twice, one
// that is too long holds its retries for nothing, and which is which depends on the service.
//
// It counts durations in buckets whose bounds grow by a twelfth, from a millisecond to a day. What
// was observed long ago counts for less: once 4,096 were counted, all counts are halved. A forward
// that timed out counts as long as it was waited for, though it may have taken longer; so the lease
// is never below that time (AdaptiveLease::floor).
//
// Thread-safe. Counts of two threads may get lost in each other while they are halved.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "policies/policy.hpp"

namespace onceproxy::gate {

class LeaseEstimate {
 public:
  /// With fewer than so many the lease is the longest allowed.
  static constexpr std::uint32_t observed_min = 20;

  void observe(std::chrono::nanoseconds duration);

  std::chrono::milliseconds lease(const policies::AdaptiveLease& rule) const;

  /// How many count now.
  std::uint32_t observed() const { return total_.load(std::memory_order_relaxed); }
  /// Zero while nothing was observed.
  std::chrono::milliseconds percentile99() const {
    return std::chrono::milliseconds(percentile_.load(std::memory_order_relaxed));
  }

  /// To be kept across restarts. At most 1,100 bytes.
  std::string bytes() const;
  /// Counts on from what bytes() gave. False where they are not such bytes; nothing changes then.
  bool restore(std::string_view bytes);

 private:
  static constexpr std::size_t buckets_per_doubling = 8;
  static constexpr std::size_t buckets = 27 * buckets_per_doubling + 1;

  static std::size_t bucket_of(std::chrono::nanoseconds duration);
  static std::int64_t upper_bound_ms(std::size_t bucket);
  void halve();
  void find_percentile();

  std::array<std::atomic<std::uint32_t>, buckets> counts_{};
  std::atomic<std::uint32_t> total_{0};
  std::atomic<std::int64_t> percentile_{0};
  std::mutex halving_;
};

}  // namespace onceproxy::gate
