#include "store/rocksdb/ledger_writer.hpp"

#include <algorithm>
#include <utility>

#include "store/record.hpp"

namespace onceproxy::store {
namespace {

/// Above it, those that are not in hand are read again.
constexpr std::size_t open_max = 65'536;

/// Where what is due cannot be done now.
constexpr std::chrono::minutes look_again{1};

bool is_pending(DeliveryState state) {
  return !is_ended(state);
}

/// Whether it ended, for a reason other than its attempts, without having been delivered.
bool is_unsent(DeliveryState state) {
  return state == DeliveryState::cancelled || state == DeliveryState::removed;
}

std::string_view fingerprint_of(const Fingerprint& fingerprint) {
  return fingerprint.view();
}

}  // namespace

rocksdb::Status LedgerWriter::load() {
  open_.clear();
  counts_.reset();
  next_look_ = {};
  looks_from_ = {};
  bool good = true;
  rocksdb::Status status = database_.scan(
      Family::deliveries, counts_prefix,
      [&](std::string_view key, std::string_view value) {
        if (!key.starts_with(counts_prefix)) return false;
        good = counts_.read(key, value) && good;
        return true;
      },
      behind(std::string(counts_prefix)));
  // The row of all has the prefix alone for its key, where a scan begins behind it.
  Database::Found found;
  database_.get(Family::deliveries, counts_prefix, found);
  if (found.present()) good = counts_.read(counts_prefix, found.value()) && good;
  if (found.failed()) return rocksdb::Status::IOError(found.error());
  if (status.ok() && !good) status = rocksdb::Status::Corruption("counts of the ledger");
  return status;
}

void LedgerWriter::report(std::string_view operation, std::string_view detail) const {
  if (observer_.failed) observer_.failed(operation, detail);
}

void LedgerWriter::failed() {
  open_.clear();
}

std::optional<EventRow> LedgerWriter::read_event(EventNumber event, bool* failed) const {
  Database::Found found;
  database_.get(Family::deliveries, event_key(event), found);
  if (found.failed()) report("read", found.error());
  if (failed != nullptr) *failed = found.failed();
  if (!found.present()) return std::nullopt;
  auto row = decode_event_row(found.value());
  if (!row) report("decode", "event " + std::to_string(event));
  return row;
}

/// Read where it is not in hand, which only happens while nothing of the event is in the batch yet.
std::optional<LedgerWriter::Open> LedgerWriter::open(EventNumber event) {
  const auto known = open_.find(event);
  if (known != open_.end()) return known->second;
  const auto row = read_event(event);
  if (!row) return std::nullopt;
  Open open;
  open.pending = static_cast<std::uint32_t>(row->listeners.size());
  const std::string prefix = delivery_prefix(event);
  const auto status = database_.scan(
      Family::deliveries, prefix,
      [&](std::string_view, std::string_view value) {
        const auto delivery = decode_delivery_row(value);
        if (!delivery || is_pending(delivery->state)) return true;
        if (open.pending > 0) --open.pending;
        if (delivery->state == DeliveryState::dead) ++open.dead;
        if (is_unsent(delivery->state)) ++open.unsent;
        return true;
      },
      behind(prefix));
  if (!status.ok()) {
    report("read", status.ToString());
    return std::nullopt;
  }
  return open;
}

void LedgerWriter::look_at(rocksdb::WriteBatch& batch, WallTime at, EventNumber event) {
  database_.add(batch, Family::deliveries, look_key(at, event), std::string());
  next_look_ = std::min(next_look_, at);
  looks_from_ = std::min(looks_from_, at);
}

void LedgerWriter::add(rocksdb::WriteBatch& batch, LedgerChange& change,
                       std::vector<Fingerprint>& records) {
  switch (change.kind) {
    case LedgerChange::Kind::store:
      return add_event(batch, change);
    case LedgerChange::Kind::deliver:
      return add_delivery(batch, change);
    case LedgerChange::Kind::acknowledge:
      return add_answer(batch, change, records);
  }
}

void LedgerWriter::add_event(rocksdb::WriteBatch& batch, LedgerChange& change) {
  const EventRow& row = change.row;
  counts_.change_totals([&](LedgerCounts::Totals& totals) {
    change.key.event = ++totals.last_event;
    ++totals.events_open;
    totals.payload_bytes += row.payload_bytes;
  });
  const EventNumber event = change.key.event;
  change.event->number = event;
  database_.add(batch, Family::events, payload_key(event), change.payload);
  database_.add(batch, Family::deliveries, event_key(event), encode(row));
  database_.add(batch, Family::deliveries, fingerprint_key(row.fingerprint, event), std::string());
  const PendingRow pending{row.created, 0, row.unless_closed, false, row.entity};
  const std::string bytes = encode(pending);
  for (const std::string& listener : row.listeners) {
    database_.add(batch, Family::deliveries, pending_key(listener, event), bytes);
    counts_.change(listener, [](LedgerCounts::OfListener& counts) { ++counts.pending; });
  }
  open_[event] = {static_cast<std::uint32_t>(row.listeners.size()), 0, 0};
}

void LedgerWriter::add_undone(rocksdb::WriteBatch& batch, const LedgerChange& change) {
  const EventNumber event = change.key.event;
  const auto row = event == 0 ? std::nullopt : read_event(event);
  if (!row || row->nonce != change.row.nonce) return;
  counts_.change_totals([](LedgerCounts::Totals& totals) { --totals.events_open; });
  for (const std::string& listener : row->listeners) {
    database_.add(batch, Family::deliveries, pending_key(listener, event), std::nullopt);
    counts_.change(listener, [](LedgerCounts::OfListener& counts) { --counts.pending; });
  }
  purge(batch, event, *row, {});
}

void LedgerWriter::add_delivery(rocksdb::WriteBatch& batch, LedgerChange& change) {
  const auto& [event, listener] = change.key;
  // Only a dead one can have gone with the same batch, which its operator cannot have seen.
  change.refused = std::ranges::find(purged_, event) != purged_.end();
  if (change.refused) return;
  const DeliveryState now = change.delivery.state;
  const bool was_pending = is_pending(change.from);
  const bool pending = is_pending(now);
  const bool was_dead = change.from == DeliveryState::dead;
  const bool dead = now == DeliveryState::dead;
  // Before anything of it is in the batch.
  auto open = was_pending != pending || was_dead != dead ? this->open(event) : std::nullopt;
  database_.add(batch, Family::deliveries, delivery_key(event, listener), encode(change.delivery));
  if (pending) {
    database_.add(batch, Family::deliveries, pending_key(listener, event), encode(change.pending));
  } else if (was_pending) {
    database_.add(batch, Family::deliveries, pending_key(listener, event), std::nullopt);
  }
  if (dead != was_dead) {
    database_.add(batch, Family::deliveries, dead_key(listener, event),
                  dead ? std::optional(std::string()) : std::nullopt);
  }
  if (is_unsent(now)) {
    database_.add(batch, Family::deliveries, unsent_key(listener, event), std::string());
  }
  counts_.change(listener, [&](LedgerCounts::OfListener& counts) {
    if (was_pending && !pending) --counts.pending;
    if (pending && !was_pending) ++counts.pending;
    if (was_dead) --counts.dead;
    if (dead) ++counts.dead;
    if (change.failed_attempt) ++counts.failed_total;
    if (now == DeliveryState::notified) ++counts.notified_total;
    if (dead) ++counts.dead_total;
    if (now == DeliveryState::cancelled) ++counts.cancelled_total;
    if (now == DeliveryState::removed) ++counts.removed_total;
  });
  const WallTime at = clock_.now();
  if (was_dead && !pending) look_at(batch, at, event);  // its payload may be needed no more
  if (!open) return;
  if (dead) ++open->dead;
  if (is_unsent(now)) ++open->unsent;
  if (was_dead && open->dead > 0) --open->dead;
  if (pending && open->pending++ == 0) {
    counts_.change_totals([](LedgerCounts::Totals& totals) { ++totals.events_open; });
    reopen(batch, event);
    look_at(batch, at, event);
  } else if (was_pending && open->pending > 0 && --open->pending == 0) {
    counts_.change_totals([](LedgerCounts::Totals& totals) { --totals.events_open; });
    look_at(batch, at, event);
  }
  // One that has ended stays for the rest of the batch, whose rows cannot be read yet.
  open_[event] = *open;
}

/// Its last delivery has not ended after all. Its record is seen to when the event is looked at.
void LedgerWriter::reopen(rocksdb::WriteBatch& batch, EventNumber event) {
  auto row = read_event(event);
  if (!row || !row->ended) return;
  row->ended.reset();
  database_.add(batch, Family::deliveries, event_key(event), encode(*row));
}

void LedgerWriter::set_expiry(rocksdb::WriteBatch& batch, const EventRow& row, WallTime expires,
                              std::vector<Fingerprint>& records) {
  Database::Found found;
  database_.get(Family::records, fingerprint_of(row.fingerprint), found);
  if (found.failed()) report("read", found.error());
  auto record = found.present() ? decode(found.value()) : std::nullopt;
  if (!record || record->nonce != row.nonce || record->answer_apart) return;
  record->expires = expires;
  database_.add(batch, Family::records, fingerprint_of(row.fingerprint), encode(*record));
  records.push_back(row.fingerprint);
}

/// Before anything else of the batch, which may delete the record.
void LedgerWriter::add_answer(rocksdb::WriteBatch& batch, LedgerChange& change,
                              std::vector<Fingerprint>& records) {
  change.refused = true;
  const auto row = read_event(change.key.event);
  if (!row) return;
  Database::Found found;
  database_.get(Family::records, fingerprint_of(row->fingerprint), found);
  if (found.failed()) report("read", found.error());
  auto record = found.present() ? decode(found.value()) : std::nullopt;
  if (!record || record->nonce != row->nonce || record->answer_apart) return;
  // Also a large one, which takes no more than the deliveries' own rows: the key of an answer that
  // is stored apart has the expiry in it, which changes when the last delivery has ended.
  record->answer = change.answer;
  change.refused = false;
  database_.add(batch, Family::records, fingerprint_of(row->fingerprint), encode(*record));
  records.push_back(row->fingerprint);
}

bool LedgerWriter::is_missing(const LedgerChange& change) const {
  if (change.kind == LedgerChange::Kind::acknowledge) return true;
  const auto& [event, listener] = change.key;
  Database::Found found;
  if (is_pending(change.from)) {
    database_.get(Family::deliveries, pending_key(listener, event), found);
    if (!found.present()) return false;
    const auto row = decode_pending_row(found.value());
    // Between two attempts it is there all the same: with how many of them.
    return row && (!is_pending(change.delivery.state) || row->attempts != change.pending.attempts ||
                   row->due != change.pending.due);
  }
  database_.get(Family::deliveries, dead_key(listener, event), found);
  return found.present();
}

void LedgerWriter::add_looks(rocksdb::WriteBatch& batch, std::size_t events,
                             std::vector<Fingerprint>& records) {
  const WallTime now = clock_.now();
  struct Look {
    WallTime at;
    EventNumber event;
  };
  std::vector<Look> due;
  WallTime next = open_event_expiry;
  const auto status = database_.scan(
      Family::deliveries, look_key(looks_from_, 0),
      [&](std::string_view key, std::string_view) {
        const Look look{look_time(key), last_number(key)};
        next = look.at;
        if (look.at > now || due.size() >= events) return false;
        due.push_back(look);
        next = open_event_expiry;
        return true;
      },
      behind(std::string(look_prefix)));
  if (!status.ok()) {
    next_look_ = now + look_again;
    return report("read", status.ToString());
  }
  next_look_ = next;
  looks_from_ = next;
  // Two looks at one event see the same on disk: the later one takes nothing back.
  std::vector<EventNumber> seen;
  for (const Look& look : due) {
    database_.add(batch, Family::deliveries, look_key(look.at, look.event), std::nullopt);
    if (std::ranges::find(seen, look.event) != seen.end()) continue;
    seen.push_back(look.event);
    add_look(batch, look.event, look.at, records);
  }
}

void LedgerWriter::add_look(rocksdb::WriteBatch& batch, EventNumber event, WallTime at,
                            std::vector<Fingerprint>& records) {
  bool failed = false;
  auto row = read_event(event, &failed);
  if (failed) look_at(batch, clock_.now() + look_again, event);
  if (!row) return;
  const auto open = this->open(event);
  open_.erase(event);
  if (!open) return look_at(batch, clock_.now() + look_again, event);
  if (open->pending > 0) {
    // It was redriven, perhaps in the batch that found it ended.
    open_[event] = *open;
    if (row->ended) {
      row->ended.reset();
      database_.add(batch, Family::deliveries, event_key(event), encode(*row));
    }
    return set_expiry(batch, *row, open_event_expiry, records);
  }
  const bool first = !row->ended;
  if (first) row->ended = at;
  const WallTime window_ends = *row->ended + row->window;
  const bool dead = open->dead > 0;
  const bool kept = dead && row->keep_dead;
  const WallTime purged =
      kept ? std::max(window_ends, *row->ended + limits_.dead_retention()) : window_ends;
  const WallTime now = clock_.now();
  if (purged <= now && clock_.may_purge()) return purge(batch, event, *row, *open);
  if (first) set_expiry(batch, *row, window_ends, records);
  if (!dead && row->payload_kept) drop_payload(batch, event, *row);
  database_.add(batch, Family::deliveries, event_key(event), encode(*row));
  // While the clock is in doubt nothing is purged.
  look_at(batch, purged <= now ? now + look_again : purged, event);
}

void LedgerWriter::drop_payload(rocksdb::WriteBatch& batch, EventNumber event, EventRow& row) {
  row.payload_kept = false;
  database_.add(batch, Family::events, payload_key(event), std::nullopt);
  counts_.change_totals(
      [&](LedgerCounts::Totals& totals) { totals.payload_bytes -= row.payload_bytes; });
}

/// None of its deliveries is pending.
void LedgerWriter::purge(rocksdb::WriteBatch& batch, EventNumber event, const EventRow& row,
                         const Open& open) {
  EventRow gone = row;
  if (gone.payload_kept) drop_payload(batch, event, gone);
  for (const std::string& listener : row.listeners) {
    database_.add(batch, Family::deliveries, delivery_key(event, listener), std::nullopt);
    if (open.unsent > 0) {
      database_.add(batch, Family::deliveries, unsent_key(listener, event), std::nullopt);
    }
    if (open.dead == 0) continue;
    const std::string letter = dead_key(listener, event);
    Database::Found found;
    database_.get(Family::deliveries, letter, found);
    if (!found.present()) continue;
    database_.add(batch, Family::deliveries, letter, std::nullopt);
    counts_.change(listener, [](LedgerCounts::OfListener& counts) { --counts.dead; });
  }
  database_.add(batch, Family::deliveries, fingerprint_key(row.fingerprint, event), std::nullopt);
  database_.add(batch, Family::deliveries, event_key(event), std::nullopt);
  open_.erase(event);
  purged_.push_back(event);
}

void LedgerWriter::finish(rocksdb::WriteBatch& batch) {
  for (const auto& [key, value] : counts_.take_changed()) {
    database_.add(batch, Family::deliveries, key, value);
  }
  purged_.clear();
  if (open_.size() > open_max) open_.clear();
}

}  // namespace onceproxy::store
