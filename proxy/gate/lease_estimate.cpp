#include "proxy/gate/lease_estimate.hpp"

#include <algorithm>
#include <cmath>

namespace onceproxy::gate {

// The bytes of an estimate, numbers little-endian:
//
//   estimate := version (bucket count)*
//   version  := u8        1
//   bucket   := u8        rising
//   count    := u32       above zero
namespace {

using std::chrono::milliseconds;

constexpr char version_now = 1;
constexpr std::size_t pair_bytes = 5;
constexpr std::uint32_t total_max = 4'096;
/// How often the percentile is looked for, once there are many.
constexpr std::uint32_t looked_for_each = 16;
constexpr int factor = 3;

}  // namespace

std::size_t LeaseEstimate::bucket_of(std::chrono::nanoseconds duration) {
  const double ms = std::max(1.0, std::chrono::duration<double, std::milli>(duration).count());
  const auto bucket = static_cast<std::size_t>(
      std::ceil(std::log2(ms) * static_cast<double>(buckets_per_doubling)));
  return std::min(bucket, buckets - 1);
}

std::int64_t LeaseEstimate::upper_bound_ms(std::size_t bucket) {
  const double doublings = static_cast<double>(bucket) / static_cast<double>(buckets_per_doubling);
  return static_cast<std::int64_t>(std::ceil(std::exp2(doublings)));
}

void LeaseEstimate::observe(std::chrono::nanoseconds duration) {
  counts_[bucket_of(duration)].fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t total = total_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (total >= total_max) halve();
  const bool few = total < 8 * looked_for_each;
  if (few || total % looked_for_each == 0) find_percentile();
}

void LeaseEstimate::halve() {
  const std::unique_lock lock(halving_, std::try_to_lock);
  if (!lock || total_.load(std::memory_order_relaxed) < total_max) return;
  std::uint32_t total = 0;
  for (auto& count : counts_) {
    // What was seen once long ago is forgotten.
    const std::uint32_t half = count.load(std::memory_order_relaxed) / 2;
    count.store(half, std::memory_order_relaxed);
    total += half;
  }
  total_.store(total, std::memory_order_relaxed);
}

/// The bound of the bucket that the 99th percentile lies in.
void LeaseEstimate::find_percentile() {
  std::uint64_t total = 0;
  for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
  if (total == 0) return;
  const std::uint64_t above_max = total / 100;
  std::uint64_t above = 0;
  for (std::size_t bucket = buckets; bucket-- > 0;) {
    above += counts_[bucket].load(std::memory_order_relaxed);
    if (above <= above_max) continue;
    percentile_.store(upper_bound_ms(bucket), std::memory_order_relaxed);
    return;
  }
}

milliseconds LeaseEstimate::lease(const policies::AdaptiveLease& rule) const {
  if (observed() < observed_min) return std::max(rule.max, rule.floor);
  const milliseconds wanted = factor * percentile99();
  return std::max(std::clamp(wanted, rule.min, std::max(rule.min, rule.max)), rule.floor);
}

std::string LeaseEstimate::bytes() const {
  std::string out(1, version_now);
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::uint32_t count = counts_[bucket].load(std::memory_order_relaxed);
    if (count == 0) continue;
    out.push_back(static_cast<char>(bucket));
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(count >> shift));
  }
  return out;
}

bool LeaseEstimate::restore(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != version_now || bytes.size() % pair_bytes != 1) return false;
  std::array<std::uint32_t, buckets> counts{};
  std::uint64_t total = 0;
  int last = -1;
  for (bytes.remove_prefix(1); !bytes.empty(); bytes.remove_prefix(pair_bytes)) {
    const int bucket = static_cast<unsigned char>(bytes.front());
    std::uint32_t count = 0;
    for (std::size_t i = pair_bytes - 1; i > 0; --i) {
      count = count << 8 | static_cast<unsigned char>(bytes[i]);
    }
    if (bucket <= last || bucket >= static_cast<int>(buckets) || count == 0) return false;
    last = bucket;
    counts[static_cast<std::size_t>(bucket)] = count;
    total += count;
  }
  if (total > 2 * total_max) return false;
  for (std::size_t i = 0; i < buckets; ++i) counts_[i].store(counts[i], std::memory_order_relaxed);
  total_.store(static_cast<std::uint32_t>(total), std::memory_order_relaxed);
  find_percentile();
  return true;
}

}  // namespace onceproxy::gate
