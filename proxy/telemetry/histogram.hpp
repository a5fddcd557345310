// Histogram: counts values in buckets with fixed bounds, and adds up the values. The number of
// observations is the sum of the buckets and not kept separately, so that a concurrent scrape never
// shows a count that disagrees with the buckets.
//
// It does not know names and labels; see exposition.hpp.
//
// Thread-safety: observe() by one thread only, or observe_shared() by any; never both on one
// object. Any thread may read.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace onceproxy::telemetry {

/// A counter with one writing thread: a load and a store, where fetch_add would lock the bus.
template <typename Number>
void add_alone(std::atomic<Number>& counter, Number change) {
  counter.store(counter.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

/// The unit of a kind of histogram: its upper bounds (inclusive, ascending) in ticks, and the
/// number of ticks in one unit of the metric.
struct RequestTime {
  static constexpr double ticks_per_unit = 1e9;
  static constexpr std::array<std::int64_t, 19> bounds{
      100'000,        250'000,        500'000,        1'000'000,     2'500'000,
      5'000'000,      10'000'000,     25'000'000,     50'000'000,    100'000'000,
      250'000'000,    500'000'000,    1'000'000'000,  2'500'000'000, 5'000'000'000,
      10'000'000'000, 20'000'000'000, 30'000'000'000, 60'000'000'000};
};

struct CommitTime {
  static constexpr double ticks_per_unit = 1e9;
  static constexpr std::array<std::int64_t, 16> bounds{
      50'000,      100'000,       250'000,       500'000,      1'000'000,   2'500'000,
      5'000'000,   10'000'000,    25'000'000,    50'000'000,   100'000'000, 250'000'000,
      500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000};
};

struct BatchSize {
  static constexpr double ticks_per_unit = 1;
  static constexpr std::array<std::int64_t, 11> bounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
};

/// In milliseconds, because nanoseconds would overflow the sum after some 30,000 duplicates that
/// are a week old.
struct DuplicateAge {
  static constexpr double ticks_per_unit = 1e3;
  static constexpr std::array<std::int64_t, 13> bounds{
      1'000,      5'000,      15'000,     60'000,      300'000,     900'000,    3'600'000,
      14'400'000, 43'200'000, 86'400'000, 172'800'000, 345'600'000, 604'800'000};
};

template <typename Kind>
class Histogram {
 public:
  /// The last bucket is +Inf.
  static constexpr std::size_t bucket_count = Kind::bounds.size() + 1;

  /// Negative values count as zero.
  void observe(std::int64_t ticks) {
    add_alone(buckets_[bucket(ticks)], std::uint64_t{1});
    if (ticks > 0) add_alone(sum_, static_cast<std::uint64_t>(ticks));
  }

  void observe_shared(std::int64_t ticks) {
    buckets_[bucket(ticks)].fetch_add(1, std::memory_order_relaxed);
    if (ticks > 0) sum_.fetch_add(static_cast<std::uint64_t>(ticks), std::memory_order_relaxed);
  }

 private:
  template <typename>
  friend struct HistogramTotals;

  static std::size_t bucket(std::int64_t ticks) {
    return static_cast<std::size_t>(
        std::lower_bound(Kind::bounds.begin(), Kind::bounds.end(), ticks) - Kind::bounds.begin());
  }

  std::array<std::atomic<std::uint64_t>, bucket_count> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

/// The sum of several workers' histograms of one kind.
template <typename Kind>
struct HistogramTotals {
  std::array<std::uint64_t, Histogram<Kind>::bucket_count> buckets{};
  std::uint64_t sum = 0;
  std::uint64_t count = 0;

  void add(const Histogram<Kind>& histogram) {
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      const std::uint64_t observations = histogram.buckets_[i].load(std::memory_order_relaxed);
      buckets[i] += observations;
      count += observations;
    }
    sum += histogram.sum_.load(std::memory_order_relaxed);
  }
};

}  // namespace onceproxy::telemetry
