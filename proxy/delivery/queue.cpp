#include "proxy/delivery/queue.hpp"

#include <algorithm>
#include <vector>

namespace onceproxy::delivery {

using store::EventNumber;

void Queue::skip(const Row& row) {
  // A row that waits behind another one is read again when that one has ended.
  if (ready_.erase({row.due, row.event}) > 0) {
    let_go_due_ = let_go_due_ ? std::min(*let_go_due_, row.due) : row.due;
  }
  if (!row.entity) return;
  Entity& entity = entities_[*row.entity];
  if (!entity.skipped) ++skipped_;
  entity.skipped = true;
}

void Queue::add(const Row& row) {
  if (rows_.contains(row.event)) return;
  if (row.entity) {
    const auto known = entities_.find(*row.entity);
    // It comes after a row that is not in memory and must not be sent first.
    if (known != entities_.end() && known->second.skipped) return;
  }
  if (row.parked) {
    skip(row);
    return;
  }
  rows_.emplace(row.event, Held{row});
  if (!row.entity) {
    make_ready(row);
    return;
  }
  Entity& entity = entities_[*row.entity];
  const std::optional<EventNumber> before =
      entity.held.empty() ? std::nullopt : std::optional(*entity.held.begin());
  entity.held.insert(row.event);
  if (entity.taken || *entity.held.begin() != row.event) return;
  if (before) ready_.erase({rows_.at(*before).row.due, *before});
  make_ready(row);
}

void Queue::add_page(std::span<const Row> rows, bool more, EventNumber reached) {
  for (const Row& row : rows) add(row);
  if (!rows.empty()) after_ = std::max(after_, rows.back().event);
  after_ = std::max(after_, reached);
  caught_up_ = !more;
}

void Queue::add_new(const Row& row) {
  // It will be read when all rows before it have been read.
  if (!caught_up_) return;
  if (row.event <= after_) {
    // It has been read already, or it was reported after a row with a larger number.
    if (!rows_.contains(row.event)) reread_wanted_ = true;
    return;
  }
  if (rows_.size() >= limits_.rows_max) {
    caught_up_ = false;
    return;
  }
  add(row);
  after_ = row.event;
}

std::size_t Queue::wants(Time now) {
  const bool stuck = !rows_.empty() && !ready(now);
  if (!reread_wanted_) reread_wanted_since_.reset();
  if (reread_wanted_ && !reread_wanted_since_) reread_wanted_since_ = now;
  const bool overdue =
      reread_wanted_since_ && now >= *reread_wanted_since_ + limits_.reread_overdue;
  if ((stuck || rows_.empty() || overdue) && begin_reread(now)) {
    return limits_.rows_max - rows_.size();
  }
  if (caught_up_) return 0;
  if (stuck) {
    if (skipped_ >= limits_.skipped_max || !may_look(now)) return 0;
    if (rows_.size() > limits_.rows_max / 2) let_go();
  }
  if (rows_.size() > limits_.rows_max / 2) return 0;
  return limits_.rows_max - rows_.size();
}

bool Queue::may_look(Time now) {
  if (last_look_ && now < *last_look_ + limits_.look_interval) return false;
  last_look_ = now;
  return true;
}

/// Returns true if reading begins again from the start.
bool Queue::begin_reread(Time now) {
  // Unread rows are read first, unless no more entities can be remembered.
  const bool read_all = caught_up_ || skipped_ >= limits_.skipped_max;
  const bool due = let_go_due_ && *let_go_due_ <= now && read_all;
  if (!reread_wanted_ && !due) return false;
  if (last_reread_ && now < *last_reread_ + limits_.reread_interval) return false;
  last_reread_ = now;
  reread_wanted_ = false;
  reread_wanted_since_.reset();
  let_go_due_.reset();
  after_ = 0;
  caught_up_ = false;
  skipped_ = 0;
  for (auto it = entities_.begin(); it != entities_.end();) {
    it->second.skipped = false;
    it = it->second.held.empty() ? entities_.erase(it) : std::next(it);
  }
  return true;
}

/// Makes room if no row in memory may be taken now. Rows that wait behind others are removed first,
/// then rows that are due last. Rows under way stay, and half of the room is enough.
void Queue::let_go() {
  std::vector<std::pair<Time, EventNumber>> candidates;
  for (auto it = rows_.rbegin(); it != rows_.rend(); ++it) {
    const Held& held = it->second;
    if (held.taken) continue;
    const bool waits = !ready_.contains({held.row.due, held.row.event});
    candidates.emplace_back(waits ? Time::max() : held.row.due, held.row.event);
  }
  std::ranges::sort(candidates, std::greater<>());
  // So rows of one entity are removed from the last to the first.
  for (const auto& [due, event] : candidates) {
    if (rows_.size() <= limits_.rows_max / 4 || skipped_ >= limits_.skipped_max) break;
    const auto found = rows_.find(event);
    // Removing a row also removes the later rows of its entity.
    if (found == rows_.end()) continue;
    release(found->second);
  }
}

/// Removes a row and the later rows of its entity from memory.
void Queue::release(const Held& held) {
  const Row row = held.row;
  skip(row);
  if (!row.entity) {
    rows_.erase(row.event);
    return;
  }
  Entity& entity = entities_.at(*row.entity);
  for (auto it = entity.held.find(row.event); it != entity.held.end();) {
    const auto found = rows_.find(*it);
    if (found->second.taken) {
      ++it;
      continue;
    }
    ready_.erase({found->second.row.due, *it});
    rows_.erase(found);
    it = entity.held.erase(it);
  }
}

std::optional<Queue::Row> Queue::take(Time now) {
  if (!ready(now)) return std::nullopt;
  Held& held = rows_.at(ready_.begin()->second);
  ready_.erase(ready_.begin());
  held.taken = true;
  ++under_way_;
  if (held.row.entity) entities_.at(*held.row.entity).taken = true;
  return held.row;
}

std::optional<Queue::Time> Queue::next_due() const {
  std::optional<Time> next;
  if (!ready_.empty()) next = ready_.begin()->first;
  if (let_go_due_ && (!next || *let_go_due_ < *next)) next = let_go_due_;
  return next;
}

void Queue::end(EventNumber event) {
  const auto found = rows_.find(event);
  if (found == rows_.end()) return;
  const Row row = found->second.row;
  rows_.erase(found);
  --under_way_;
  if (!row.entity) return;
  const auto of = entities_.find(*row.entity);
  Entity& entity = of->second;
  entity.held.erase(event);
  entity.taken = false;
  if (!entity.held.empty()) {
    make_ready(rows_.at(*entity.held.begin()).row);
  } else if (entity.skipped) {
    reread_wanted_ = true;
  } else {
    entities_.erase(of);
  }
}

void Queue::make_due(EventNumber event) {
  const auto found = rows_.find(event);
  if (found == rows_.end() || found->second.taken) return;
  Row& row = found->second.row;
  const bool waits = ready_.erase({row.due, event}) == 0;
  row.due = Time();
  if (!waits) make_ready(row);
}

void Queue::make_all_due() {
  Ready ready;
  for (const auto& [due, event] : ready_) ready.emplace(Time(), event);
  for (auto& [event, held] : rows_) {
    // The next row of the entity becomes ready at its own due time.
    if (held.taken) continue;
    held.row.due = Time();
    held.row.early = true;
  }
  ready_ = std::move(ready);
  reread_wanted_ = true;
}

void Queue::park(EventNumber event) {
  const auto found = rows_.find(event);
  if (found == rows_.end()) return;
  --under_way_;
  found->second.taken = false;
  const std::optional<store::EntityKey> key = found->second.row.entity;
  if (key) entities_.at(*key).taken = false;
  release(found->second);
  if (!key) return;
  // An earlier one may have been redriven while this one was under way.
  const Entity& entity = entities_.at(*key);
  if (!entity.held.empty()) make_ready(rows_.at(*entity.held.begin()).row);
}

void Queue::retry(EventNumber event, Time due, std::uint32_t attempts) {
  const auto found = rows_.find(event);
  if (found == rows_.end()) return;
  Held& held = found->second;
  held.taken = false;
  --under_way_;
  held.row.due = due;
  held.row.attempts = attempts;
  held.row.early = false;
  if (!held.row.entity) {
    make_ready(held.row);
    return;
  }
  Entity& entity = entities_.at(*held.row.entity);
  entity.taken = false;
  make_ready(rows_.at(*entity.held.begin()).row);
}

}  // namespace onceproxy::delivery
