#include "store/rocksdb/entities.hpp"

#include <algorithm>
#include <utility>

#include "store/record.hpp"

namespace onceproxy::store {

std::variant<Entities::Entry, Unavailable> Entities::load(const EntityKey& key,
                                                          WallTime now) const {
  Entry entry;
  {
    Database::Found found;
    database_.get(Family::entities, key.view(), found);
    if (found.failed()) {
      if (observer_.failed) observer_.failed("read", found.error());
      return Unavailable{Unavailable::Reason::failed};
    }
    if (!found.present()) return entry;
    auto entity = decode_entity(found.value());
    if (!entity) {
      if (observer_.failed) observer_.failed("decode", "entity " + key.hex());
      return Unavailable{Unavailable::Reason::corrupt};
    }
    if (entity->expires <= now) return entry;
    entry.entity = std::move(*entity);
  }
  if (!entry.entity.holder) return entry;
  // No request of this process has the turn, because the entity would be in memory otherwise. So it
  // belongs to a dead process, or to none.
  Database::Found found;
  database_.get(Family::records, entry.entity.holder->fingerprint.view(), found);
  if (found.failed()) {
    if (observer_.failed) observer_.failed("read", found.error());
    return Unavailable{Unavailable::Reason::failed};
  }
  const auto record = found.present() ? decode(found.value()) : std::nullopt;
  if (record && record->nonce == entry.entity.holder->nonce &&
      state_at(*record, era_, now, false) == Record::State::reserved) {
    entry.taken = true;
    entry.dead_until = lease_end(*record, era_);
  } else {
    entry.entity.holder.reset();
  }
  return entry;
}

/// With the shard locked.
std::variant<Entities::Found, Unavailable> Entities::find_or_load(Table::Shard& home,
                                                                  const EntityKey& key,
                                                                  WallTime now) {
  const auto found = home.entries.find(key);
  if (found != home.entries.end()) return found;
  auto loaded = load(key, now);
  if (const auto* const failed = std::get_if<Unavailable>(&loaded)) return *failed;
  Entry& made = home.entries[key];
  made.entity = std::move(std::get<Entry>(loaded).entity);
  made.taken = std::get<Entry>(loaded).taken;
  made.dead_until = std::get<Entry>(loaded).dead_until;
  if (made.dead_until) dead_turns_.fetch_add(1);
  return home.entries.find(key);
}

Entities::Entered Entities::enter(const EntityTerms& terms, WallTime now, Waiter* waiter) {
  Table::Shard& home = table_.of(terms.key);
  const std::lock_guard lock(home.mutex);
  const auto loaded = find_or_load(home, terms.key, now);
  if (const auto* const failed = std::get_if<Unavailable>(&loaded)) {
    return failed->reason == Unavailable::Reason::corrupt ? Entered::corrupt : Entered::failed;
  }
  const Found found = std::get<Found>(loaded);
  Entry& entry = found->second;
  if (entry.users == 0 || entry.entity.type.empty()) {
    entry.entity.type = terms.type.substr(0, entity_type_bytes_max);
    entry.entity.id = terms.id.substr(0, entity_id_bytes_max);
  }
  ++entry.users;
  if (!terms.turn) return Entered::yes;
  if (entry.dead_until && *entry.dead_until <= now && entry.queue.empty()) {
    end_dead(entry);
    entry.taken = false;
  }
  if (!entry.taken && entry.holds == 0) {
    entry.taken = true;
    return Entered::yes;
  }
  const bool full = entry.queue.size() >= queue_max_;
  if (full || waiter == nullptr || stopped_.load()) {
    leave(home, found);
    return full ? Entered::full : Entered::busy;
  }
  waiter->entity = true;
  entry.queue.push_back(*waiter);
  return Entered::queued;
}

void Entities::end_dead(Entry& entry) {
  if (!entry.dead_until) return;
  entry.dead_until.reset();
  entry.entity.holder.reset();
  dead_turns_.fetch_sub(1);
}

void Entities::leave(Table::Shard& home, Found found) {
  if (--found->second.users > 0) return;
  end_dead(found->second);  // to be found on disk again
  home.entries.erase(found);
}

/// The turn is over. Holds that waited for it go first; the next turn begins once they have ended.
void Entities::pass_on(Entry& entry, Delivery& out) {
  entry.entity.holder.reset();
  entry.taken = false;
  if (entry.parked.empty()) {
    give_turn(entry, out);
  } else {
    admit_holds(entry, out);
  }
}

void Entities::give_turn(Entry& entry, Delivery& out) {
  Waiter* const next = entry.queue.pop_front();
  if (next == nullptr) return;
  entry.taken = true;
  next->turn = true;
  out.add(*next);
}

void Entities::admit_holds(Entry& entry, Delivery& out) {
  while (!entry.parked.empty()) {
    HoldWaiter& waiter = entry.parked.front();
    entry.parked.pop_front();
    waiter.held = true;
    ++entry.holds;
    out.add(waiter);
  }
}

Entities::Held Entities::hold(const EntityKey& key, WallTime now, HoldWaiter& waiter) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto loaded = find_or_load(home, key, now);
  if (const auto* const failed = std::get_if<Unavailable>(&loaded)) {
    return failed->reason == Unavailable::Reason::corrupt ? Held::corrupt : Held::failed;
  }
  const Found found = std::get<Found>(loaded);
  Entry& entry = found->second;
  ++entry.users;
  if (entry.dead_until && *entry.dead_until <= now && entry.queue.empty()) {
    end_dead(entry);
    entry.taken = false;
  }
  if (entry.taken || !entry.queue.empty()) {
    if (stopped_.load()) {
      leave(home, found);
      return Held::stopped;
    }
    entry.parked.push_back(waiter);
    return Held::waits;
  }
  if (entry.entity.closed_until > now) {
    leave(home, found);
    return Held::closed;
  }
  ++entry.holds;
  return Held::yes;
}

bool Entities::is_closed(const EntityKey& key, WallTime now) const {
  const Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  return home.entries.at(key).entity.closed_until > now;
}

void Entities::end_hold(const EntityKey& key, bool held, Delivery& out) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(key);
  Entry& entry = found->second;
  if (held && --entry.holds == 0 && !entry.taken) {
    if (entry.queue.empty()) {
      admit_holds(entry, out);
    } else {
      give_turn(entry, out);
    }
  }
  leave(home, found);
}

bool Entities::give_up(const EntityKey& key, Waiter& waiter) {
  Delivery out;
  {
    Table::Shard& home = table_.of(key);
    const std::lock_guard lock(home.mutex);
    if (!WaiterList::waits(waiter)) return false;
    const auto found = home.entries.find(key);
    Entry& entry = found->second;
    entry.queue.remove(waiter);
    waiter.entity = false;
    // Holds that waited behind it alone.
    if (!entry.taken && entry.queue.empty()) admit_holds(entry, out);
    leave(home, found);
  }
  out.send();
  return true;
}

void Entities::leave(const EntityKey& key, bool turn, Delivery& out) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(key);
  if (turn) pass_on(found->second, out);
  leave(home, found);
}

void Entities::abandon(const EntityKey& key, WallTime lease_end) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(key);
  found->second.dead_until = lease_end;
  dead_turns_.fetch_add(1);
  leave(home, found);
}

EntityVerdict Entities::judge(const EntityTerms& terms, WallTime now) const {
  const Table::Shard& home = table_.of(terms.key);
  const std::lock_guard lock(home.mutex);
  return store::judge(home.entries.at(terms.key).entity, terms, now);
}

void Entities::hold(const EntityKey& key, const Entity::Holder& holder, WallTime lease_end) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  Entity& entity = home.entries.at(key).entity;
  entity.holder = holder;
  entity.expires = std::max(entity.expires, lease_end);
}

void Entities::completed(const EntityOperation& operation, std::chrono::milliseconds window,
                         WallTime now) {
  Table::Shard& home = table_.of(operation.key);
  const std::lock_guard lock(home.mutex);
  complete(home.entries.at(operation.key).entity, operation, window, now);
}

EntityBefore Entities::before(const EntityKey& key) const {
  const Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const Entity& entity = home.entries.at(key).entity;
  return {entity.expires, entity.sequence_until, entity.closed_until, entity.highest};
}

void Entities::undo(const EntityKey& key, const EntityBefore& before) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  Entity& entity = home.entries.at(key).entity;
  entity.expires = before.expires;
  entity.sequence_until = before.sequence_until;
  entity.closed_until = before.closed_until;
  entity.highest = before.highest;
}

std::string Entities::encoded(const EntityKey& key) const {
  const Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  return encode(home.entries.at(key).entity);
}

std::optional<std::string> Entities::extended(const EntityKey& key, WallTime lease_end) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(key);
  if (found == home.entries.end()) return std::nullopt;
  Entity& entity = found->second.entity;
  entity.expires = std::max(entity.expires, lease_end);
  return encode(entity);
}

void Entities::end_dead_turns(WallTime now, Delivery& out) {
  if (dead_turns_.load() == 0) return;
  for (Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (auto& [key, entry] : home.entries) {
      if (!entry.dead_until || *entry.dead_until > now) continue;
      end_dead(entry);
      pass_on(entry, out);
    }
  }
}

void Entities::end_dead_turn(const Fingerprint& holder, Delivery& out) {
  // Without a look at their number: somebody may be reading the record as it was, and counts the
  // turn as dead with his shard locked.
  for (Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (auto& [key, entry] : home.entries) {
      const bool its = entry.entity.holder && entry.entity.holder->fingerprint == holder;
      if (!entry.dead_until || !its) continue;
      end_dead(entry);
      pass_on(entry, out);
    }
  }
}

void Entities::stop_waiting(Delivery& out) {
  stopped_.store(true);
  for (Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    for (auto& [key, entry] : home.entries) {
      while (Waiter* const waiter = entry.queue.pop_front()) out.add(*waiter);
      while (!entry.parked.empty()) {
        HoldWaiter& waiter = entry.parked.front();
        entry.parked.pop_front();
        out.add(waiter);
      }
    }
  }
}

std::variant<std::optional<EntityView>, Unreadable> Entities::view(const EntityKey& key,
                                                                   WallTime now) const {
  const Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(key);
  std::variant<Entry, Unavailable> loaded;
  if (found == home.entries.end()) loaded = load(key, now);
  if (std::holds_alternative<Unavailable>(loaded)) {
    return Unreadable{"the entity cannot be read"};
  }
  const Entry& entry = found == home.entries.end() ? std::get<Entry>(loaded) : found->second;
  const Entity& entity = entry.entity;
  if (found == home.entries.end() && entity.expires <= now) return std::nullopt;
  EntityView view;
  view.type = entity.type;
  view.id = entity.id;
  if (entity.closed_until > now) view.closed_until = entity.closed_until;
  if (entity.sequence_until > now) view.sequence = entity.highest;
  if (entity.holder) view.holder = entity.holder->fingerprint;
  view.waiting = entry.queue.size();
  view.expires = entity.expires;
  return view;
}

Changed Entities::open(const EntityKey& key, WallTime now) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found == home.entries.end()) {
    auto loaded = load(key, now);
    if (std::holds_alternative<Unavailable>(loaded)) return Changed::failed;
    Entry& entry = std::get<Entry>(loaded);
    if (entry.entity.expires <= now) return Changed::absent;
    if (entry.entity.closed_until <= now) return Changed::conflict;
    found = home.entries.emplace(key, std::move(entry)).first;
    if (found->second.dead_until) dead_turns_.fetch_add(1);
  }
  if (found->second.entity.closed_until <= now) return Changed::conflict;
  found->second.entity.closed_until = now;
  ++found->second.users;
  return Changed::done;
}

std::size_t Entities::size() const {
  std::size_t sum = 0;
  for (const Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    sum += home.entries.size();
  }
  return sum;
}

}  // namespace onceproxy::store
