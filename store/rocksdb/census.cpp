#include "store/rocksdb/census.hpp"

#include <pthread.h>

#include <algorithm>
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

void Census::run() {
  pthread_setname_np(pthread_self(), "store-census");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    count_some();
    lock.lock();
    changed_.wait_for(lock, parts_.tuning.census_pause, [this] { return stopping_; });
  }
}

void Census::add(Slice& slice, std::string_view key, std::string_view value, WallTime now) const {
  Fingerprint fingerprint;
  std::copy(key.begin(), key.end(), fingerprint.bytes.begin());
  const auto record = decode(value);
  if (!record) return;
  const bool held = record->state == Record::State::reserved &&
                    parts_.reservations.is_held(fingerprint, record->nonce);
  if (!held && expiry(*record, parts_.era) <= now) return;
  switch (state_at(*record, parts_.era, now, held)) {
    case Record::State::reserved:
      ++slice.reserved;
      break;
    case Record::State::completed:
      ++slice.completed;
      break;
    case Record::State::unknown:
      ++slice.unknown;
      break;
  }
}

/// Whole slices, until so many records were looked at or there are no more.
void Census::count_some() {
  const WallTime now = parts_.clock.now();
  std::vector<Slice> counted(1);
  std::size_t looked_at = 0;
  bool more = false;
  const auto status = parts_.database.scan(Family::records, before(next_),
                                           [&](std::string_view key, std::string_view value) {
                                             if (key.size() != key_bytes) return true;
                                             const std::size_t ahead = slice_of(key) - next_;
                                             if (ahead >= counted.size()) {
                                               more = looked_at >= parts_.tuning.scan_max;
                                               counted.resize(more ? ahead : ahead + 1);
                                               if (more) return false;
                                             }
                                             ++looked_at;
                                             add(counted.back(), key, value, now);
                                             return true;
                                           });
  // It is being reopened: once more, later.
  if (!status.ok()) return;
  if (!more) counted.resize(slices - next_);
  const std::lock_guard lock(mutex_);
  std::ranges::copy(counted, counted_.begin() + static_cast<std::ptrdiff_t>(next_));
  next_ += counted.size();
  known_ = std::max(known_, next_);
  next_ %= slices;
}

RecordCounts Census::counts() const {
  const std::lock_guard lock(mutex_);
  RecordCounts out;
  if (known_ == 0) return out;
  out.known = true;
  for (std::size_t i = 0; i < known_; ++i) {
    out.reserved += counted_[i].reserved;
    out.completed += counted_[i].completed;
    out.unknown += counted_[i].unknown;
  }
  for (std::uint64_t* const count : {&out.reserved, &out.completed, &out.unknown}) {
    *count = *count * slices / known_;
  }
  return out;
}

}  // namespace onceproxy::store
