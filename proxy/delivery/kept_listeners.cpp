#include "proxy/delivery/kept_listeners.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <stdexcept>

namespace onceproxy::delivery {

namespace {

constexpr std::string_view prefix = "listener ";
constexpr std::chrono::minutes look_interval{1};
/// The store takes about a second.
constexpr std::chrono::seconds flush_time{10};

std::string name_of(const KeptListeners::Entries::key_type& key) {
  return std::string(prefix) + key.first + "/" + key.second;
}

bool finishes(const policies::Policy& policy) {
  return policy.delivery->removed_listeners == policies::RemovedListeners::finish;
}

}  // namespace

KeptListeners::KeptListeners(store::Notes* notes, const store::Ledger& ledger, Time now)
    : notes_(notes), ledger_(ledger) {
  if (notes_ == nullptr) return;
  for (const auto& [name, bytes] : notes_->notes(prefix)) {
    auto kept = decode_kept_listener(bytes);
    if (!kept) continue;
    const Entries::key_type key{kept->policy, kept->listener.name};
    entries_.emplace(key, Entry{*std::move(kept), false, now});
  }
}

KeptListeners::Entries KeptListeners::prepare(const std::vector<policies::Policy>& policies,
                                              const ListenerLists& lists, Time now) const {
  Entries next;
  std::set<std::string, std::less<>> removing;
  for (const policies::Policy& policy : policies) {
    if (!policy.delivery || policy.delivery->to_upstream) continue;
    if (!finishes(policy)) {
      removing.insert(policy.name);
      continue;
    }
    const auto of_file = lists.find(policy.name);
    const auto& list = of_file != lists.end() ? of_file->second : policy.delivery->listeners;
    for (const policies::Listener& listener : *list) {
      next[{policy.name, listener.name}] = {
          {policy.name, listener, policy.delivery->signing_key_file}, true, {}};
    }
  }
  for (const auto& [key, entry] : entries_) {
    if (removing.contains(key.first)) continue;
    next.try_emplace(key, Entry{entry.kept, false, entry.named ? now : entry.left});
  }
  bool keeps = false;
  for (const auto& [key, entry] : next) {
    if (!entry.named || notes_ == nullptr) continue;
    keeps = true;
    if (notes_->keep(name_of(key), encode(entry.kept))) continue;
    throw std::runtime_error("delivery.removed_listeners: finish: the listener " + key.second +
                             " of policy " + key.first +
                             " cannot be kept: its settings take more than 16 KiB, or too many "
                             "are kept already");
  }
  if (keeps && !notes_->flush(flush_time)) {
    throw std::runtime_error(
        "delivery.removed_listeners: finish: the store does not keep the "
        "listeners now");
  }
  return next;
}

void KeptListeners::adopt(Entries next) {
  for (const auto& [key, entry] : entries_) {
    if (!next.contains(key)) forget(key);
  }
  entries_ = std::move(next);
}

void KeptListeners::forget(const Entries::key_type& key) {
  if (notes_ != nullptr) notes_->forget(name_of(key));
}

std::vector<KeptListener> KeptListeners::finishing(const Entries& entries) {
  std::vector<KeptListener> out;
  for (const auto& [key, entry] : entries) {
    if (!entry.named) out.push_back(entry.kept);
  }
  return out;
}

bool KeptListeners::look(Time now) {
  if (now < next_look_) return false;
  next_look_ = now + look_interval;
  const auto is_over = [&](const Entry& entry) { return !entry.named && now - entry.left >= stay; };
  if (std::ranges::none_of(entries_, [&](const auto& each) { return is_over(each.second); })) {
    return false;
  }
  std::set<std::string, std::less<>> busy;
  for (const store::ListenerFigures& each : ledger_.figures().listeners) {
    // A shared ledger may not have been able to count them, if there are millions.
    const bool has_any = each.pending > 0 || each.dead > 0 || each.oldest_pending;
    if (has_any) busy.insert(each.listener);
  }
  const std::size_t before = entries_.size();
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool over = is_over(it->second) && !busy.contains(it->first.second);
    if (over) forget(it->first);
    it = over ? entries_.erase(it) : std::next(it);
  }
  return entries_.size() < before;
}

}  // namespace onceproxy::delivery
