#include "store/rocksdb/reservations.hpp"

#include <utility>

namespace onceproxy::store {

Reservations::Claim Reservations::judge(const Entry& entry,
                                        const std::optional<PayloadDigest>& payload) {
  if (entry.stage == Stage::looking) return Claim::looking;
  // A request for an operation that was ended is a new operation, which may have another payload.
  if (entry.ended) return Claim::in_flight;
  return differ(entry.holding.record.payload, payload) ? Claim::mismatch : Claim::in_flight;
}

Reservations::Claim Reservations::claim(const Fingerprint& fingerprint,
                                        const std::optional<PayloadDigest>& payload) {
  return claim(fingerprint, payload, false);
}

Reservations::Claim Reservations::claim_for_operator(const Fingerprint& fingerprint) {
  return claim(fingerprint, std::nullopt, true);
}

Reservations::Claim Reservations::claim(const Fingerprint& fingerprint,
                                        const std::optional<PayloadDigest>& payload,
                                        bool by_operator) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found != home.entries.end()) return judge(found->second, payload);
  if (size_.fetch_add(1, std::memory_order_relaxed) >= entries_max_) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return Claim::full;
  }
  Entry& entry = home.entries[fingerprint];
  entry.holding.record.payload = payload;
  entry.by_operator = by_operator;
  return Claim::mine;
}

Reservations::Glance Reservations::glance(const Fingerprint& fingerprint,
                                          const std::optional<PayloadDigest>& payload) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) return {};
  const Entry& entry = found->second;
  const bool differs = !entry.ended && differ(entry.holding.record.payload, payload);
  return {true,
          entry.stage == Stage::looking,
          differs,
          entry.stage == Stage::held || entry.done,
          entry.by_operator,
          entry.ended};
}

Reservations::Parked Reservations::park(const Fingerprint& fingerprint,
                                        const std::optional<PayloadDigest>& payload,
                                        Waiter& waiter) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || stopped_.load()) return Parked::gone;
  if (!found->second.ended && differ(found->second.holding.record.payload, payload)) {
    return Parked::mismatch;
  }
  found->second.waiters.push_back(waiter);
  return Parked::yes;
}

bool Reservations::give_up(const Fingerprint& fingerprint, Waiter& waiter) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  if (!WaiterList::waits(waiter)) return false;
  return home.entries.at(fingerprint).waiters.remove(waiter);
}

void Reservations::stop_waiting(Delivery& out) {
  stopped_.store(true);
  for (Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (auto& [fingerprint, entry] : home.entries) {
      while (Waiter* const waiter = entry.waiters.pop_front()) out.add(*waiter);
    }
  }
}

void Reservations::reserving(const Fingerprint& fingerprint, const Record& record,
                             const Terms& terms, std::unique_ptr<const HeldResources> resources) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  Entry& entry = home.entries[fingerprint];
  entry.stage = Stage::reserving;
  entry.holding = {record, terms};
  entry.resources = std::move(resources);
}

void Reservations::held(const Fingerprint& fingerprint) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found != home.entries.end()) found->second.stage = Stage::held;
}

std::optional<Reservations::Settling> Reservations::settling(const Fingerprint& fingerprint,
                                                             const Nonce& nonce, bool done) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held ||
      found->second.holding.record.nonce != nonce) {
    return std::nullopt;
  }
  return begin_to_settle(found->second, done);
}

Reservations::Settling Reservations::begin_to_settle(Entry& entry, bool done) {
  entry.stage = Stage::settling;
  entry.done = done;
  Settling out{std::move(entry.holding), entry.resources.get()};
  // Duplicates are still compared with it, and operators see that it is held.
  entry.holding.record.payload = out.record.payload;
  entry.holding.record.nonce = out.record.nonce;
  return out;
}

void Reservations::end_memory(const Fingerprint& fingerprint) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.stage == Stage::looking) return;
  if (std::exchange(found->second.ended, true)) return;
  ended_.fetch_add(1, std::memory_order_relaxed);
  found->second.waiters.mark_ended();
}

bool Reservations::is_ended(const Fingerprint& fingerprint) const {
  // The thread that marked it has not pushed anything yet that depends on it.
  if (ended_.load(std::memory_order_relaxed) == 0) return false;
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  return found != home.entries.end() && found->second.ended;
}

bool Reservations::is_under_way(const Fingerprint& fingerprint) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  return found != home.entries.end() && found->second.stage != Stage::looking;
}

std::optional<Reservations::Settling> Reservations::revoke(const Fingerprint& fingerprint) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held) return std::nullopt;
  return begin_to_settle(found->second, false);
}

bool Reservations::is_held(const Fingerprint& fingerprint, const Nonce& nonce) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  return found != home.entries.end() && found->second.stage != Stage::looking &&
         found->second.holding.record.nonce == nonce;
}

/// Each of them continues by itself; those with an outcome are answered with it.
void Reservations::hand_out(Entry& entry, const OutcomeOf& outcome, Delivery& out) {
  std::shared_ptr<const Record> record;
  while (Waiter* const waiter = entry.waiters.pop_front()) {
    if (std::exchange(waiter->of_ended, false) && outcome) {
      if (record == nullptr) record = outcome();
      waiter->outcome = record;
    }
    out.add(*waiter);
  }
}

std::unique_ptr<const HeldResources> Reservations::end(Table::Shard& home, Found found,
                                                       bool completed, Delivery& out,
                                                       const OutcomeOf& outcome) {
  Entry& entry = found->second;
  std::unique_ptr<const HeldResources> resources = std::move(entry.resources);
  if (entry.ended) {
    ended_.fetch_sub(1, std::memory_order_relaxed);
    hand_out(entry, completed ? outcome : nullptr, out);
  }
  if (Waiter* const heir = completed ? nullptr : entry.waiters.pop_front(); heir != nullptr) {
    heir->claim = true;
    entry.stage = Stage::looking;
    entry.done = entry.by_operator = false;
    entry.holding = {};
    entry.holding.record.payload = heir->request.payload;
    out.add(*heir);
    return resources;
  }
  while (Waiter* const waiter = entry.waiters.pop_front()) out.add(*waiter);
  home.entries.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return resources;
}

std::unique_ptr<const HeldResources> Reservations::end(const Fingerprint& fingerprint,
                                                       bool completed, Delivery& out,
                                                       const OutcomeOf& outcome) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  return found == home.entries.end() ? nullptr : end(home, found, completed, out, outcome);
}

std::optional<Reservations::Dropped> Reservations::drop(const Fingerprint& fingerprint,
                                                        const Nonce& nonce, Delivery& out) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held ||
      found->second.holding.record.nonce != nonce) {
    return std::nullopt;
  }
  const WallTime lease_end = lease_end_max(found->second.holding.record);
  return Dropped{end(home, found, false, out, nullptr), lease_end};
}

std::vector<Reservations::Extension> Reservations::due(WallTime now) const {
  std::vector<Extension> out;
  for (const Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (const auto& [fingerprint, entry] : home.entries) {
      if (entry.stage != Stage::held) continue;
      const auto& [record, terms] = entry.holding;
      if (now - record.settled <= renewed_after(terms.lease)) continue;
      const auto* const entity =
          entry.resources && entry.resources->entity ? &*entry.resources->entity : nullptr;
      const bool turn = entity != nullptr && entity->turn;
      out.push_back({fingerprint, record, turn ? std::optional(entity->key) : std::nullopt});
      start_lease(out.back().record, terms, now);
    }
  }
  return out;
}

void Reservations::extended(const Extension& extension) {
  Table::Shard& home = table_.of(extension.fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(extension.fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held ||
      found->second.holding.record.nonce != extension.record.nonce) {
    return;
  }
  found->second.holding.record.settled = extension.record.settled;
  found->second.holding.record.lease_ends = extension.record.lease_ends;
  found->second.holding.record.expires = extension.record.expires;
}

}  // namespace onceproxy::store
