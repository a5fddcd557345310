#include "store/rocksdb/digest_memtable.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace onceproxy::store {
namespace {

using rocksdb::MemTableRep;
using rocksdb::Slice;

/// Every entry, in the order it came. One writer appends; a reader sees what was there when it
/// asked.
class Entries {
 public:
  /// False: there is no room for more, and the order must not be relied on any more.
  void push_back(const char* entry) {
    const std::size_t size = size_.load(std::memory_order_relaxed);
    std::atomic<Block*>& block = blocks_[size / block_size];
    if (size % block_size == 0) {
      owned_.push_back(std::make_unique_for_overwrite<Block>());
      block.store(owned_.back().get(), std::memory_order_relaxed);
    }
    (*block.load(std::memory_order_relaxed))[size % block_size] = entry;
    size_.store(size + 1, std::memory_order_release);
  }
  bool full() const { return size_.load(std::memory_order_relaxed) == block_size * blocks_.size(); }
  template <typename Visit>
  void each(Visit&& visit) const {
    const std::size_t size = size_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < size; ++i) {
      visit((*blocks_[i / block_size].load(std::memory_order_relaxed))[i % block_size]);
    }
  }
  std::size_t size() const { return size_.load(std::memory_order_acquire); }
  std::size_t bytes() const { return (size() + block_size - 1) / block_size * sizeof(Block); }

 private:
  static constexpr std::size_t block_size = 8'192;
  using Block = std::array<const char*, block_size>;

  /// Room for 33 million entries: gigabytes.
  std::array<std::atomic<Block*>, 4'096> blocks_{};
  std::vector<std::unique_ptr<Block>> owned_;  // the writer's alone
  std::atomic<std::size_t> size_{0};
};

/// The first bytes of a key as a number that sorts as they do.
std::uint64_t head_of(const Slice& key) {
  std::uint64_t head = 0;
  const std::size_t bytes = std::min<std::size_t>(key.size(), sizeof head);
  for (std::size_t i = 0; i < sizeof head; ++i) {
    head = head << 8 | (i < bytes ? static_cast<std::uint8_t>(key.data()[i]) : 0U);
  }
  return head;
}

class OrderedIterator final : public MemTableRep::Iterator {
 public:
  OrderedIterator(const Entries& entries, const MemTableRep::KeyComparator& compare)
      : compare_(compare) {
    entries_.reserve(entries.size());
    entries.each([&](const char* entry) {
      entries_.push_back({head_of(compare_.decode_key(entry)), entry});
    });
    std::sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
      return a.head != b.head ? a.head < b.head : compare_(a.key, b.key) < 0;
    });
    at_ = entries_.size();
  }

  bool Valid() const override { return at_ < entries_.size(); }
  const char* key() const override { return entries_[at_].key; }
  void Next() override {
    // In order of their keys entries lie anywhere: a flush would wait for the memory at each.
    constexpr std::size_t ahead = 4;
    if (at_ + ahead < entries_.size()) __builtin_prefetch(entries_[at_ + ahead].key);
    ++at_;
  }
  void Prev() override { at_ = at_ == 0 ? entries_.size() : at_ - 1; }
  void Seek(const Slice& internal_key, const char*) override {
    const auto found = std::partition_point(
        entries_.begin(), entries_.end(),
        [&](const Entry& entry) { return compare_(entry.key, internal_key) < 0; });
    at_ = static_cast<std::size_t>(found - entries_.begin());
  }
  void SeekForPrev(const Slice& internal_key, const char*) override {
    const auto found = std::partition_point(
        entries_.begin(), entries_.end(),
        [&](const Entry& entry) { return compare_(entry.key, internal_key) <= 0; });
    at_ = found == entries_.begin() ? entries_.size()
                                    : static_cast<std::size_t>(found - entries_.begin()) - 1;
  }
  void SeekToFirst() override { at_ = 0; }
  void SeekToLast() override { at_ = entries_.empty() ? 0 : entries_.size() - 1; }

 private:
  struct Entry {
    std::uint64_t head;
    const char* key;
  };
  const MemTableRep::KeyComparator& compare_;
  std::vector<Entry> entries_;
  std::size_t at_ = 0;
};

class DigestMemtable final : public MemTableRep {
 public:
  DigestMemtable(std::unique_ptr<MemTableRep> hashed, const KeyComparator& compare,
                 rocksdb::Allocator* allocator)
      : MemTableRep(allocator), hashed_(std::move(hashed)), compare_(compare) {}

  rocksdb::KeyHandle Allocate(std::size_t size, char** buffer) override {
    const rocksdb::KeyHandle handle = hashed_->Allocate(size, buffer);
    allocated_ = *buffer;
    return handle;
  }
  void Insert(rocksdb::KeyHandle handle) override {
    hashed_->Insert(handle);
    // The handle is the hash table's own business. One writer allocates and inserts in turns.
    if (!entries_.full()) entries_.push_back(allocated_);
  }
  bool Contains(const char* key) const override { return hashed_->Contains(key); }
  void Get(const rocksdb::LookupKey& key, void* arguments,
           bool (*visit)(void* argument, const char* entry)) override {
    hashed_->Get(key, arguments, visit);
  }
  std::size_t ApproximateMemoryUsage() override {
    return hashed_->ApproximateMemoryUsage() + entries_.bytes();
  }
  void MarkReadOnly() override { hashed_->MarkReadOnly(); }

  /// RocksDB ends an iterator in an arena by its destructor alone. The arena's type is its own
  /// business, so the room for such iterators is this table's, which outlives them.
  Iterator* GetIterator(rocksdb::Arena* arena) override {
    if (entries_.full()) return hashed_->GetIterator(arena);
    if (arena == nullptr) return new OrderedIterator(entries_, compare_);
    const std::lock_guard lock(rooms_mutex_);
    rooms_.push_back(std::make_unique<Room>());
    return new (rooms_.back()->bytes) OrderedIterator(entries_, compare_);
  }
  Iterator* GetDynamicPrefixIterator(rocksdb::Arena* arena) override {
    return hashed_->GetDynamicPrefixIterator(arena);
  }

 private:
  struct Room {
    alignas(OrderedIterator) std::byte bytes[sizeof(OrderedIterator)];
  };

  const std::unique_ptr<MemTableRep> hashed_;
  const KeyComparator& compare_;
  Entries entries_;
  /// What the next insert is of.
  const char* allocated_ = nullptr;
  std::mutex rooms_mutex_;
  std::vector<std::unique_ptr<Room>> rooms_;
};

class Factory final : public rocksdb::MemTableRepFactory {
 public:
  explicit Factory(std::size_t buckets)
      : hashed_(rocksdb::NewHashLinkListRepFactory(buckets, huge_page_bytes, logged_from,
                                                   log_distribution, list_max)) {}

  MemTableRep* CreateMemTableRep(const MemTableRep::KeyComparator& compare,
                                 rocksdb::Allocator* allocator,
                                 const rocksdb::SliceTransform* transform,
                                 rocksdb::Logger* log) override {
    std::unique_ptr<MemTableRep> hashed(
        hashed_->CreateMemTableRep(compare, allocator, transform, log));
    return new DigestMemtable(std::move(hashed), compare, allocator);
  }
  const char* Name() const override { return "onceproxy.digest_memtable"; }

 private:
  static constexpr std::size_t huge_page_bytes = 0;
  static constexpr int logged_from = 0;
  static constexpr bool log_distribution = false;
  /// A bucket that holds more becomes a skip list.
  static constexpr std::uint32_t list_max = 16;

  const std::unique_ptr<rocksdb::MemTableRepFactory> hashed_;
};

}  // namespace

std::shared_ptr<rocksdb::MemTableRepFactory> make_digest_memtable(std::size_t buckets) {
  return std::make_shared<Factory>(buckets);
}

}  // namespace onceproxy::store
