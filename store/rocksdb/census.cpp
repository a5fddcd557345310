#include "store/rocksdb/census.hpp"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace onceproxy::store {
namespace {

constexpr std::size_t key_bytes = sizeof(Fingerprint::bytes);

/// By the first twelve bits.
std::size_t slice_of(std::string_view key) {
  const auto first = static_cast<std::uint8_t>(key[0]);
  const auto second = static_cast<std::uint8_t>(key[1]);
  return std::size_t{first} << 4 | second >> 4;
}

/// Before the slice's first key; empty: before the first of all.
std::string before(std::size_t slice) {
  if (slice == 0) return {};
  std::string key(key_bytes, '\0');
  key[0] = static_cast<char>(slice >> 4);
  key[1] = static_cast<char>((slice & 0xf) << 4);
  return key;
}

}  // namespace

Census::Census(const Parts& parts) : parts_(parts), thread_([this] { run(); }) {}

Census::~Census() {
  stop();
}

void Census::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  changed_.notify_one();
  thread_.join();
}

void Census::look_again(const Fingerprint& fingerprint) noexcept {
  changed_since_[slice_of(fingerprint.view())].store(true, std::memory_order_release);
}

void Census::run() {
  using SteadyClock = std::chrono::steady_clock;
  pthread_setname_np(pthread_self(), "store-census");
  const auto look = std::min(parts_.tuning.census_look, parts_.tuning.census_pause);
  auto next_part = SteadyClock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool first_walk = known_ < slices;
    lock.unlock();
    if (SteadyClock::now() >= next_part) {
      count_some();
      next_part = SteadyClock::now() + (first_walk ? look : parts_.tuning.census_pause);
    }
    count_changed();
    lock.lock();
    changed_.wait_for(lock, look, [this] { return stopping_; });
  }
}

void Census::add(Slice& slice, std::string_view key, std::string_view value, WallTime now) const {
  Fingerprint fingerprint;
  std::copy(key.begin(), key.end(), fingerprint.bytes.begin());
  const auto record = decode(value);
  if (!record) return;
  const bool held = record->state == Record::State::reserved &&
                    parts_.reservations.is_held(fingerprint, record->nonce);
  const WallTime expires = expiry(*record, parts_.era);
  if (!held && expires <= now) return;
  switch (state_at(*record, parts_.era, now, held)) {
    case Record::State::reserved:
      ++slice.reserved;
      if (!held) slice.until = std::min(slice.until, lease_end(*record, parts_.era));
      break;
    case Record::State::completed:
      ++slice.completed;
      break;
    case Record::State::unknown: {
      const bool written = record->state == Record::State::unknown;
      add_unknown(slice, *record, written ? record->settled : lease_end(*record, parts_.era));
      slice.until = std::min(slice.until, expires);
      break;
    }
  }
}

void Census::add_unknown(Slice& slice, const Record& record, WallTime since) {
  ++slice.unknown;
  for (Unknown& known : slice.unknown_by_policy) {
    if (known.policy != record.policy || known.hold != record.hold) continue;
    ++known.count;
    known.since = std::min(known.since, since);
    return;
  }
  slice.unknown_by_policy.push_back({record.policy, record.hold, 1, since});
}

/// Whole slices from `first` on, at least one, until `records_max` records were read or there are
/// no more. Empty if the database cannot be read now.
std::vector<Census::Slice> Census::count(std::size_t first, std::size_t records_max,
                                         std::size_t& looked_at) const {
  const WallTime now = parts_.clock.now();
  std::vector<Slice> counted(1);
  std::size_t looked = 0;
  bool more = false;
  const auto status = parts_.database.scan(Family::records, before(first),
                                           [&](std::string_view key, std::string_view value) {
                                             if (key.size() != key_bytes) return true;
                                             const std::size_t ahead = slice_of(key) - first;
                                             if (ahead >= counted.size()) {
                                               more = looked >= records_max;
                                               counted.resize(more ? ahead : ahead + 1);
                                               if (more) return false;
                                             }
                                             ++looked;
                                             add(counted.back(), key, value, now);
                                             return true;
                                           });
  looked_at += looked;
  // It is being reopened: once more, later.
  if (!status.ok()) return {};
  if (!more) counted.resize(slices - first);
  return counted;
}

void Census::count_some() {
  std::size_t looked_at = 0;
  std::vector<Slice> counted = count(next_, parts_.tuning.scan_max, looked_at);
  if (counted.empty()) return;
  const std::lock_guard lock(mutex_);
  std::ranges::move(counted, counted_.begin() + static_cast<std::ptrdiff_t>(next_));
  next_ += counted.size();
  known_ = std::max(known_, next_);
  next_ %= slices;
}

/// The slices of which it is known that another count is right by now, until so many records were
/// looked at; each in its turn.
void Census::count_changed() {
  const WallTime now = parts_.clock.now();
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < slices && looked_at < parts_.tuning.scan_max; ++i) {
    const std::size_t slice = next_changed_;
    next_changed_ = (next_changed_ + 1) % slices;
    // Only this thread writes counts, so it may read them without the lock.
    const bool told = changed_since_[slice].exchange(false, std::memory_order_acq_rel);
    if (!told && counted_[slice].until > now) continue;
    std::vector<Slice> counted = count(slice, 0, looked_at);
    if (counted.empty()) {
      changed_since_[slice].store(true, std::memory_order_release);
      return;
    }
    const std::lock_guard lock(mutex_);
    counted_[slice] = std::move(counted.front());
  }
}

RecordCounts Census::counts() const {
  const WallTime now = parts_.clock.now();
  const std::lock_guard lock(mutex_);
  RecordCounts out;
  if (known_ == 0) return out;
  out.known = true;
  std::map<std::pair<std::string_view, bool>, UnknownRecords> unknown;
  for (std::size_t i = 0; i < slices; ++i) {
    const Slice& slice = counted_[i];
    if (i < known_) {
      out.reserved += slice.reserved;
      out.completed += slice.completed;
      out.unknown += slice.unknown;
    }
    for (const Unknown& one : slice.unknown_by_policy) {
      UnknownRecords& sum = unknown[{one.policy, one.hold}];
      sum.count += one.count;
      sum.oldest = std::max(sum.oldest, now - one.since);
    }
  }
  for (std::uint64_t* const count : {&out.reserved, &out.completed, &out.unknown}) {
    *count = *count * slices / known_;
  }
  for (auto& [name, sum] : unknown) {
    sum.policy = name.first;
    sum.hold = name.second;
    out.unknown_by_policy.push_back(std::move(sum));
  }
  return out;
}

}  // namespace onceproxy::store
