#include "store/completed_cache.hpp"

#include <utility>

namespace onceproxy::store {

namespace {

std::size_t bytes_of(const Record& record) {
  return sizeof record + record.policy.size() + record.request_id.size() + record.error.size() +
         record.trace.size() + record.path.size() + record.entity_type.size() +
         record.entity_id.size() + record.answer.head.size() + record.answer.body.size();
}

}  // namespace

std::shared_ptr<const Record> CompletedCache::find(const Fingerprint& fingerprint) {
  Table::Shard& shard = table_.of(fingerprint);
  if (shard.empty()) return nullptr;
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(fingerprint);
  if (found == shard.entries.end()) return nullptr;
  found->second.asked_for = true;
  return found->second.record;
}

CompletedCache::Generation CompletedCache::generation(const Fingerprint& fingerprint) const {
  // Who sees a record forgotten sees it deleted, too.
  return table_.of(fingerprint).generation.load(std::memory_order_acquire);
}

void CompletedCache::add(const Fingerprint& fingerprint, const Record& record, Generation before) {
  // What the table takes for a node, about, is counted too: small records must not exceed the
  // bound.
  constexpr std::size_t node_bytes = sizeof(Entry) + 4 * sizeof(void*);
  const std::size_t bytes = bytes_of(record) + node_bytes;
  if (bytes > shard_bytes_max_ / 8) return;
  auto kept = std::make_shared<const Record>(record);
  Table::Shard& shard = table_.of(fingerprint);
  const std::lock_guard lock(shard.mutex);
  if (shard.generation.load(std::memory_order_relaxed) != before) return;
  const auto [at, added] = shard.entries.try_emplace(fingerprint);
  Entry& entry = at->second;
  if (!added) return;  // there can be no other record under it
  while (shard.bytes + bytes > shard_bytes_max_) drop_one(shard);
  entry.fingerprint = fingerprint;
  entry.record = std::move(kept);
  entry.bytes = bytes;
  shard.bytes += bytes;
  shard.queue.push_front(entry);
  shard.count.fetch_add(1, std::memory_order_relaxed);
}

void CompletedCache::remove(const Fingerprint& fingerprint) {
  Table::Shard& shard = table_.of(fingerprint);
  if (shard.empty()) return;
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(fingerprint);
  if (found != shard.entries.end()) drop(shard, found->second);
}

void CompletedCache::forget(const Fingerprint& fingerprint) {
  Table::Shard& shard = table_.of(fingerprint);
  const std::lock_guard lock(shard.mutex);
  shard.generation.fetch_add(1, std::memory_order_release);
  const auto found = shard.entries.find(fingerprint);
  if (found != shard.entries.end()) drop(shard, found->second);
}

std::size_t CompletedCache::bytes() const {
  std::size_t sum = 0;
  for (const Table::Shard& shard : table_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.bytes;
  }
  return sum;
}

void CompletedCache::drop(Table::Shard& shard, Entry& entry) {
  const auto at = shard.queue.iterator_to(entry);
  const auto newer = at == shard.queue.begin() ? shard.queue.end() : std::prev(at);
  if (shard.hand == at) shard.hand = newer;
  shard.bytes -= entry.bytes;
  shard.count.fetch_sub(1, std::memory_order_relaxed);
  const Fingerprint fingerprint = entry.fingerprint;
  shard.entries.erase(fingerprint);
}

/// SIEVE: the hand goes from the oldest to the newest, passes over what was asked for, taking the
/// mark off it, and drops the first that was not.
void CompletedCache::drop_one(Table::Shard& shard) {
  for (;;) {
    if (shard.hand == shard.queue.end()) shard.hand = std::prev(shard.queue.end());
    Entry& entry = *shard.hand;
    if (!std::exchange(entry.asked_for, false)) {
      drop(shard, entry);
      return;
    }
    shard.hand = shard.hand == shard.queue.begin() ? shard.queue.end() : std::prev(shard.hand);
  }
}

}  // namespace onceproxy::store
