#include "store/reservations.hpp"

#include <utility>

namespace onceproxy::store {

void start_lease(Record& record, const Terms& terms, WallTime now) {
  record.lease_ends = now + terms.lease;
  record.expires = record.lease_ends + terms.window;
}

bool differ(const std::optional<PayloadDigest>& one, const std::optional<PayloadDigest>& other) {
  return one && other && *one != *other;
}

Reservations::Shard& Reservations::shard(const Fingerprint& fingerprint) {
  // The hash is made of the first bytes; the last ones are free to choose the shard.
  return shards_[fingerprint.bytes.back() % shards_.size()];
}

const Reservations::Shard& Reservations::shard(const Fingerprint& fingerprint) const {
  return shards_[fingerprint.bytes.back() % shards_.size()];
}

Reservations::Claim Reservations::judge(const Entry& entry,
                                        const std::optional<PayloadDigest>& payload) {
  if (entry.stage == Stage::looking) return Claim::looking;
  return differ(entry.holding.record.payload, payload) ? Claim::mismatch : Claim::in_flight;
}

Reservations::Claim Reservations::claim(const Fingerprint& fingerprint,
                                        const std::optional<PayloadDigest>& payload) {
  Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found != home.entries.end()) return judge(found->second, payload);
  if (size_.fetch_add(1, std::memory_order_relaxed) >= entries_max_) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return Claim::full;
  }
  home.entries[fingerprint].holding.record.payload = payload;
  return Claim::mine;
}

Reservations::Glance Reservations::glance(const Fingerprint& fingerprint,
                                          const std::optional<PayloadDigest>& payload) const {
  const Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) return {};
  const Entry& entry = found->second;
  return {true, entry.stage == Stage::looking, differ(entry.holding.record.payload, payload)};
}

void Reservations::unclaim(const Fingerprint& fingerprint) {
  erase(fingerprint);
}

void Reservations::reserving(const Fingerprint& fingerprint, const Record& record,
                             const Terms& terms) {
  Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  Entry& entry = home.entries[fingerprint];
  entry.stage = Stage::reserving;
  entry.holding = {record, terms};
}

void Reservations::held(const Fingerprint& fingerprint) {
  Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found != home.entries.end()) found->second.stage = Stage::held;
}

std::optional<Reservations::Holding> Reservations::settling(const Fingerprint& fingerprint,
                                                            const Nonce& nonce) {
  Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held ||
      found->second.holding.record.nonce != nonce) {
    return std::nullopt;
  }
  Entry& entry = found->second;
  entry.stage = Stage::settling;
  Holding holding = std::move(entry.holding);
  entry.holding.record.payload = holding.record.payload;  // duplicates are still compared with it
  return holding;
}

bool Reservations::drop(const Fingerprint& fingerprint, const Nonce& nonce) {
  Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held ||
      found->second.holding.record.nonce != nonce) {
    return false;
  }
  home.entries.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void Reservations::erase(const Fingerprint& fingerprint) {
  Shard& home = shard(fingerprint);
  const std::lock_guard lock(home.mutex);
  if (home.entries.erase(fingerprint) != 0) size_.fetch_sub(1, std::memory_order_relaxed);
}

std::vector<Reservations::Extension> Reservations::due(WallTime now) const {
  std::vector<Extension> out;
  for (const Shard& home : shards_) {
    const std::lock_guard lock(home.mutex);
    for (const auto& [fingerprint, entry] : home.entries) {
      if (entry.stage != Stage::held) continue;
      const auto& [record, terms] = entry.holding;
      if (record.lease_ends - now >= terms.lease - terms.lease / 4) continue;
      out.push_back({fingerprint, record});
      start_lease(out.back().record, terms, now);
    }
  }
  return out;
}

void Reservations::extended(const Extension& extension) {
  Shard& home = shard(extension.fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(extension.fingerprint);
  if (found == home.entries.end() || found->second.stage != Stage::held ||
      found->second.holding.record.nonce != extension.record.nonce) {
    return;
  }
  found->second.holding.record.lease_ends = extension.record.lease_ends;
  found->second.holding.record.expires = extension.record.expires;
}

}  // namespace onceproxy::store
