#include "store/postgres/recent_answers.hpp"

#include <utility>

namespace onceproxy::store {

std::shared_ptr<const RecentAnswer> RecentAnswers::find(const Fingerprint& fingerprint,
                                                        RecentAnswer::Time now) {
  Table::Shard& home = table_.of(fingerprint);
  if (home.count.load(std::memory_order_relaxed) == 0) return nullptr;
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.answer->until <= now) return nullptr;
  return found->second.answer;
}

void RecentAnswers::add(const Fingerprint& fingerprint, RecentAnswer answer,
                        RecentAnswer::Time now) {
  // Includes the approximate cost of the tables.
  constexpr std::size_t node_bytes = sizeof(Entry) + sizeof(RecentAnswer) + 128;
  const std::size_t bytes =
      node_bytes + answer.answer.head.size() + answer.answer.body.size() + answer.trace.size();
  if (bytes > shard_bytes_max_ / 8) return;
  auto kept = std::make_shared<const RecentAnswer>(std::move(answer));
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  if (const auto found = home.entries.find(fingerprint); found != home.entries.end()) {
    if (found->second.answer->until > kept->until) return;
    drop(home, fingerprint);
  }
  while (!home.order.empty() && (home.bytes + bytes > shard_bytes_max_ ||
                                 home.entries.at(home.order.front()).answer->until <= now)) {
    drop(home, Fingerprint(home.order.front()));
  }
  const auto place = home.order.insert(home.order.end(), fingerprint);
  home.entries.emplace(fingerprint, Entry{std::move(kept), bytes, place});
  home.bytes += bytes;
  home.count.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void RecentAnswers::forget(const Fingerprint& fingerprint) {
  Table::Shard& home = table_.of(fingerprint);
  if (home.count.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(home.mutex);
  if (home.entries.contains(fingerprint)) drop(home, fingerprint);
}

void RecentAnswers::drop(Table::Shard& home, const Fingerprint& fingerprint) {
  const auto found = home.entries.find(fingerprint);
  home.bytes -= found->second.bytes;
  bytes_.fetch_sub(found->second.bytes, std::memory_order_relaxed);
  home.count.fetch_sub(1, std::memory_order_relaxed);
  home.order.erase(found->second.place);
  home.entries.erase(found);
}

}  // namespace onceproxy::store
