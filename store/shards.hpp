// Shards: a table with 32-byte keys, divided into parts with one mutex each, so that threads rarely
// wait for each other. Users lock a part themselves. A thread must not lock two parts at once, and
// no part while it holds a lock of another table.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <unordered_map>

namespace onceproxy::store {

struct NothingMore {};

/// `More`: additional data of each part, protected by the same mutex.
template <typename Key, typename Entry, typename More = NothingMore>
class Shards {
 public:
  static constexpr std::size_t size = 64;

  struct alignas(64) Shard : More {
    mutable std::mutex mutex;
    std::unordered_map<Key, Entry> entries;
  };

  // The hash consists of the first bytes, so the last bytes select the shard.
  Shard& of(const Key& key) { return shards_[key.bytes.back() % shards_.size()]; }
  const Shard& of(const Key& key) const { return shards_[key.bytes.back() % shards_.size()]; }

  auto begin() { return shards_.begin(); }
  auto end() { return shards_.end(); }
  auto begin() const { return shards_.begin(); }
  auto end() const { return shards_.end(); }

 private:
  std::array<Shard, size> shards_;
};

}  // namespace onceproxy::store
