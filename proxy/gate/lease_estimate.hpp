// LeaseEstimate: measures how long the forwards of a policy take, and computes the lease from it:
// three times their 99th percentile. If a lease is too short, an operation may be executed twice;
// if it is too long, retries wait unnecessarily. The right value depends on the service.
//
// Durations are counted in buckets whose bounds grow by a twelfth, from a millisecond to a day. Old
// observations count less: when 4,096 have been counted, all counts are halved. A forward that
// timed out counts with the time that was waited for, although it may have taken longer. Therefore
// the lease is never shorter than that time (AdaptiveLease::floor).
//
// Thread-safe. While the counts are halved, a concurrent count may be lost.
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
  /// With fewer observations than this the longest lease is used.
  static constexpr std::uint32_t observed_min = 20;

  void observe(std::chrono::nanoseconds duration);

  std::chrono::milliseconds lease(const policies::AdaptiveLease& rule) const;

  /// The number of observations that count now.
  std::uint32_t observed() const { return total_.load(std::memory_order_relaxed); }
  /// Zero if nothing was observed.
  std::chrono::milliseconds percentile99() const {
    return std::chrono::milliseconds(percentile_.load(std::memory_order_relaxed));
  }

  /// A serialization of the counts, to be kept across restarts. At most 1,100 bytes.
  std::string bytes() const;
  /// Continues with the counts from bytes(). Returns false if the bytes are not valid; nothing
  /// changes in that case.
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
