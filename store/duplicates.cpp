#include "store/duplicates.hpp"

#include <algorithm>

#include "store/codec.hpp"

namespace onceproxy::store {

// How often an operation was asked for again, under its fingerprint:
//
//   duplicates := version expires last number
//   version    := u8     1
//   expires    := i64    from then on it says nothing, and is reclaimed
//   last       := i64    when it was asked for again last
//   number     := u64
//
// All little-endian, times in milliseconds since 1970.
namespace {
constexpr std::uint8_t version = 1;
}

std::string encode(const DuplicateCount& count) {
  Writer out(25);
  out.number(version);
  out.time(count.expires);
  out.time(count.last);
  out.number(count.number);
  return out.take();
}

std::optional<DuplicateCount> decode_duplicates(std::string_view bytes) {
  Reader in(bytes);
  const bool known = in.number<std::uint8_t>() == version;
  DuplicateCount count;
  count.expires = in.time();
  count.last = in.time();
  count.number = in.number<std::uint64_t>();
  if (!known || !in.good_to_the_end()) return std::nullopt;
  return count;
}

std::optional<WallTime> decode_duplicates_expiry(std::string_view bytes) {
  const auto count = decode_duplicates(bytes);
  return count ? std::optional(count->expires) : std::nullopt;
}

DuplicateCount sum(const DuplicateCount& earlier, const DuplicateCount& later) {
  if (earlier.expires <= later.last) return later;
  return {earlier.number + later.number, later.last, std::max(earlier.expires, later.expires)};
}

void Duplicates::note(const Fingerprint& fingerprint, WallTime now,
                      std::chrono::milliseconds window) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) {
    if (size_.fetch_add(1, std::memory_order_relaxed) >= operations_max_) {
      size_.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    found = home.entries.emplace(fingerprint, DuplicateCount{}).first;
  }
  DuplicateCount& count = found->second;
  // What is not written yet may be of an operation that is forgotten by now.
  if (count.expires <= now) count = {};
  ++count.number;
  count.last = std::max(count.last, now);
  count.expires = std::max(count.expires, now + window);
}

std::vector<std::pair<Fingerprint, DuplicateCount>> Duplicates::take(std::size_t operations) {
  std::vector<std::pair<Fingerprint, DuplicateCount>> out;
  if (size_.load(std::memory_order_relaxed) == 0) return out;
  for (std::size_t shards = 0; shards < Table::size && out.size() < operations; ++shards) {
    Table::Shard& home = *(table_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = (next_ + 1) % Table::size;
    const std::lock_guard lock(home.mutex);
    while (!home.entries.empty() && out.size() < operations) {
      const auto first = home.entries.begin();
      out.emplace_back(first->first, first->second);
      home.entries.erase(first);
    }
  }
  size_.fetch_sub(out.size(), std::memory_order_relaxed);
  return out;
}

std::optional<DuplicateCount> Duplicates::noted(const Fingerprint& fingerprint) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) return std::nullopt;
  return found->second;
}

}  // namespace onceproxy::store
