#include "store/postgres/holdings.hpp"

#include <algorithm>
#include <utility>

#include "store/judgement.hpp"
#include "store/lease.hpp"
#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {

namespace {

void tell(Loop& loop, std::weak_ptr<LeaseWatch> watch) {
  post(loop, [watch = std::move(watch)] {
    if (const auto there = watch.lock()) there->lease_ended();
  });
}

/// Its request is under way, and another instance may forward the operation again, so the watch
/// must interrupt it.
void tell_watch(const Holding& holding) {
  if (holding.watch_loop != nullptr) tell(*holding.watch_loop, holding.watch);
}

}  // namespace

void Holdings::add(const Fingerprint& fingerprint, Holding holding) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) {
    home.entries.emplace(fingerprint, std::move(holding));
    size_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  // An earlier holding of the fingerprint has ended in the database; otherwise this one could not
  // exist.
  tell_watch(found->second);
  found->second = std::move(holding);
}

std::optional<Holdings::Glance> Holdings::glance(const Fingerprint& fingerprint,
                                                 const std::optional<PayloadDigest>& payload,
                                                 Holding::Time now) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.lease_ends <= now) return std::nullopt;
  return Glance{differ(found->second.payload, payload), found->second.settling};
}

bool Holdings::holds(const Fingerprint& fingerprint, const Nonce& nonce, Holding::Time now) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  return found != home.entries.end() && found->second.nonce == nonce &&
         found->second.lease_ends > now;
}

std::optional<Holding> Holdings::settling(const Fingerprint& fingerprint, const Nonce& nonce) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) return std::nullopt;
  Holding& holding = found->second;
  if (holding.nonce != nonce || holding.settling) return std::nullopt;
  holding.settling = true;
  holding.watch.reset();
  return holding;
}

void Holdings::end(const Fingerprint& fingerprint, const Nonce& nonce) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.nonce != nonce) return;
  home.entries.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

std::optional<Nonce> Holdings::nonce(const Fingerprint& fingerprint) const {
  const Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) return std::nullopt;
  return found->second.nonce;
}

void Holdings::revoke(const Fingerprint& fingerprint, const std::optional<Nonce>& before) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end()) return;
  if (found->second.nonce != before) {
    found->second.renew = {};
    return;
  }
  tell_watch(found->second);
  home.entries.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

void Holdings::doubt(const Fingerprint& fingerprint) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found != home.entries.end()) found->second.renew = {};
}

void Holdings::doubt_all() {
  for (Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (auto& [fingerprint, holding] : home.entries) holding.renew = {};
  }
}

void Holdings::watch(const Fingerprint& fingerprint, const Nonce& nonce, Loop& loop,
                     std::weak_ptr<LeaseWatch> watch) {
  Table::Shard& home = table_.of(fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(fingerprint);
  if (found == home.entries.end() || found->second.nonce != nonce) {
    tell(loop, std::move(watch));
    return;
  }
  found->second.watch = std::move(watch);
  found->second.watch_loop = &loop;
}

std::vector<Holdings::Due> Holdings::due(Holding::Time now) const {
  std::vector<Due> out;
  for (const Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (const auto& [fingerprint, holding] : home.entries) {
      if (holding.renew > now || holding.settling) continue;
      out.push_back({fingerprint, holding.nonce, holding.terms.lease});
    }
  }
  // In the order in which the database locks the rows.
  std::sort(out.begin(), out.end(),
            [](const Due& a, const Due& b) { return a.fingerprint < b.fingerprint; });
  return out;
}

void Holdings::renewed(const Due& due, Holding::Time sent) {
  Table::Shard& home = table_.of(due.fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(due.fingerprint);
  if (found == home.entries.end() || found->second.nonce != due.nonce) return;
  found->second.lease_ends = sent + due.lease;
  found->second.renew = sent + renewed_after(due.lease);
}

void Holdings::lose(const Due& due) {
  Table::Shard& home = table_.of(due.fingerprint);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(due.fingerprint);
  if (found == home.entries.end() || found->second.nonce != due.nonce) return;
  if (found->second.settling) return;
  tell_watch(found->second);
  home.entries.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

std::size_t Holdings::end_leases(Holding::Time now) {
  std::size_t ended = 0;
  for (Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    ended += std::erase_if(home.entries, [&](const auto& entry) {
      const Holding& holding = entry.second;
      if (holding.lease_ends > now || holding.settling) return false;
      tell_watch(holding);
      return true;
    });
  }
  size_.fetch_sub(ended, std::memory_order_relaxed);
  return ended;
}

}  // namespace onceproxy::store
