// Shards: a table by 32-byte names, in parts with a mutex each, so that threads seldom meet.
// Users of a part lock it; no two are ever locked at once, nor one while another table's is.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <unordered_map>

namespace onceproxy::store {

struct NothingMore {};

/// `More`: what each part has beside its entries, under the same mutex.
template <typename Key, typename Entry, typename More = NothingMore>
class Shards {
 public:
  static constexpr std::size_t size = 64;

  struct alignas(64) Shard : More {
    mutable std::mutex mutex;
    std::unordered_map<Key, Entry> entries;
  };

  // The hash is made of the first bytes; the last ones are free to choose the shard.
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
