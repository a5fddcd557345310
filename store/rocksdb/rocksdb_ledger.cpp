#include "store/rocksdb/rocksdb_ledger.hpp"

#include <utility>

#include "store/record.hpp"

namespace onceproxy::store {

using Reason = Unavailable::Reason;

/// A begin that waits until an operation on its entity is settled.
struct RocksDbLedger::BeginWaiter : HoldWaiter {
  BeginWaiter(RocksDbLedger& where, DeliveryKey which, const PendingRow& of,
              Call<BeginResult>& asked)
      : HoldWaiter(asked.loop), ledger(where), key(std::move(which)), row(of), call(asked) {
    resume = [](CallBase& base) {
      auto& self = static_cast<BeginWaiter&>(base);
      self.ledger.held(std::unique_ptr<BeginWaiter>(&self));
    };
  }
  RocksDbLedger& ledger;
  const DeliveryKey key;
  const PendingRow row;
  Call<BeginResult>& call;
};

std::variant<PendingPage, Unreadable> RocksDbLedger::pending(std::string_view listener,
                                                             EventNumber after, std::size_t limit) {
  if (stopped()) return Unreadable{"the store is not available"};
  return reader_.pending(listener, after, limit);
}

std::vector<std::string> RocksDbLedger::listeners_with_pending() const {
  std::vector<std::string> out;
  for (auto& [listener, counts] : parts_.counts.listeners()) {
    if (counts.pending > 0) out.push_back(std::move(listener));
  }
  return out;
}

std::variant<std::shared_ptr<const Event>, Unreadable> RocksDbLedger::event(EventNumber number) {
  return reader_.event(number);
}

bool RocksDbLedger::stopped() const {
  return parts_.closing.load(std::memory_order_acquire) || parts_.committer.failing();
}

bool RocksDbLedger::push(std::unique_ptr<LedgerChange> change, Loop& loop) {
  auto operation = std::make_unique<Operation>();
  operation->kind = Operation::Kind::ledger;
  operation->ledger = std::move(change);
  return parts_.committer.push(std::move(operation), loop.submits()) == nullptr;
}

/// Answers at once; the delivery is anybody's again.
template <typename Result>
bool RocksDbLedger::give_back(const DeliveryKey& key, Call<Result>& call, Result result) {
  parts_.claims.release(key);
  call.result.emplace(std::move(result));
  return true;
}

bool RocksDbLedger::refuse(const DeliveryKey& key, Call<BeginResult>& call, Reason why) {
  return give_back<BeginResult>(key, call, Unavailable{why});
}

bool RocksDbLedger::claim(const DeliveryKey& key, bool early, Call<BeginResult>& call) {
  if (!parts_.claims.take(key)) {
    call.result.emplace(Taken{});
    return true;
  }
  const auto found = reader_.pending_row(key);
  if (parts_.closing.load(std::memory_order_acquire)) return refuse(key, call, Reason::closing);
  // Asked behind the look: a database that has just been reopened may have what is taken back yet.
  if (parts_.committer.failing() || std::holds_alternative<Unreadable>(found)) {
    return refuse(key, call, Reason::failed);
  }
  const auto& row = std::get<std::optional<PendingRow>>(found);
  if (!row) return give_back<BeginResult>(key, call, NotPending{});
  // The end of an attempt may have been written after its caller was told that it was not.
  if (!early && (row->held || row->due > parts_.clock.now())) {
    return give_back<BeginResult>(key, call, Later{row->due, row->attempts, row->held});
  }
  parts_.claims.keep(key, *row);
  if (row->unless_closed && row->entity) return hold(key, *row, call);
  call.result.emplace(Attempt(*this, key, row->attempts + 1, std::nullopt));
  return true;
}

/// Takes care that the entity is not closed from here on.
bool RocksDbLedger::hold(const DeliveryKey& key, const PendingRow& row, Call<BeginResult>& call) {
  auto waiter = std::make_unique<BeginWaiter>(*this, key, row, call);
  switch (parts_.entities.hold(*row.entity, parts_.clock.now(), *waiter)) {
    case Entities::Held::yes:
      call.result.emplace(Attempt(*this, key, row.attempts + 1, row.entity));
      return true;
    case Entities::Held::closed:
      return cancel(key, call);
    case Entities::Held::waits:
      static_cast<void>(waiter.release());
      return false;
    case Entities::Held::stopped:
      return refuse(key, call, Reason::closing);
    case Entities::Held::failed:
      return refuse(key, call, Reason::failed);
    case Entities::Held::corrupt:
      break;
  }
  return refuse(key, call, Reason::corrupt);
}

/// The operation that had the turn is settled, and may have closed the entity; or nobody waits any
/// more.
void RocksDbLedger::held(std::unique_ptr<BeginWaiter> waiter) {
  Call<BeginResult>& call = waiter->call;
  const EntityKey entity = *waiter->row.entity;
  bool answered = false;
  if (!waiter->held) {
    end_hold(entity, false);
    answered = refuse(waiter->key, call, Reason::closing);
  } else if (parts_.entities.is_closed(entity, parts_.clock.now())) {
    end_hold(entity, true);
    answered = cancel(waiter->key, call);
  } else {
    call.result.emplace(Attempt(*this, waiter->key, waiter->row.attempts + 1, entity));
    answered = true;
  }
  waiter.reset();
  if (answered) call.resume(call);
}

bool RocksDbLedger::cancel(const DeliveryKey& key, Call<BeginResult>& call) {
  const PendingRow row = parts_.claims.kept(key);
  auto change = std::make_unique<LedgerChange>();
  change->key = key;
  change->delivery.state = DeliveryState::cancelled;
  change->delivery.attempts = row.attempts;
  change->delivery.ended = parts_.clock.now();
  change->delivery.error = "the entity is closed";
  if (row.attempts > 0) {
    const auto found = reader_.delivery_row(key);
    const auto* const earlier = std::get_if<std::optional<DeliveryRow>>(&found);
    if (earlier != nullptr && *earlier) {
      change->delivery.last_attempt = (*earlier)->last_attempt;
      change->delivery.status = (*earlier)->status;
    }
  }
  change->begun = &call;
  if (push(std::move(change), call.loop)) return false;
  return refuse(key, call, Reason::closing);
}

void RocksDbLedger::end_hold(const EntityKey& key, bool held) noexcept {
  Delivery out;
  parts_.entities.end_hold(key, held, out);
  out.send();
}

void RocksDbLedger::sent(Attempt& attempt) noexcept {
  if (const auto entity = attempt.take_hold()) end_hold(*entity, true);
}

void RocksDbLedger::dropped(Attempt& attempt) noexcept {
  sent(attempt);
  parts_.claims.release(attempt.key());
}

bool RocksDbLedger::end(Attempt attempt, const AttemptEnd& how, Call<Settled>& call) {
  attempt.sent();
  attempt.use();
  const DeliveryKey& key = attempt.key();
  const PendingRow before = parts_.claims.kept(key);
  const WallTime now = parts_.clock.now();
  auto change = std::make_unique<LedgerChange>();
  change->key = key;
  change->from = before.attempts == 0 ? DeliveryState::pending : DeliveryState::failed;
  DeliveryRow& row = change->delivery;
  if (!how.attempted) {
    // What is known of the attempts before stays.
    const auto found = reader_.delivery_row(key);
    const auto* const earlier = std::get_if<std::optional<DeliveryRow>>(&found);
    if (earlier != nullptr && *earlier) row = **earlier;
  }
  row.state = how.state;
  row.attempts = before.attempts + (how.attempted ? 1 : 0);
  if (how.attempted) {
    row.last_attempt = now;
    row.status = how.status;
    row.error = how.error.substr(0, error_bytes_max);
  } else if (!how.error.empty()) {
    row.error = how.error.substr(0, error_bytes_max);
  }
  if (is_ended(how.state)) {
    row.ended = now;
  } else {
    row.state = row.attempts == 0 ? DeliveryState::pending : DeliveryState::failed;
    change->pending = before;
    change->pending.due = how.due;
    change->pending.held = how.held;
    change->pending.attempts = row.attempts;
    change->failed_attempt = how.attempted;
  }
  change->settled = &call;
  if (push(std::move(change), call.loop)) return false;
  return give_back<Settled>(key, call, Settled::failed);
}

bool RocksDbLedger::acknowledge(EventNumber event, StoredAnswer answer, Call<Settled>& call) {
  auto change = std::make_unique<LedgerChange>();
  change->kind = LedgerChange::Kind::acknowledge;
  change->key.event = event;
  change->answer = std::move(answer);
  change->settled = &call;
  if (!stopped() && push(std::move(change), call.loop)) return false;
  call.result = Settled::failed;
  return true;
}

/// Asks what a request that came now would be asked.
Redriven RocksDbLedger::may_be_redriven(const EventRow& row) const {
  if (!row.payload_kept) return Redriven::absent;
  if (!row.entity || (!row.unless_closed && !row.sequence)) return Redriven::done;
  const auto found = parts_.entities.view(*row.entity, parts_.clock.now());
  const auto* const entity = std::get_if<std::optional<EntityView>>(&found);
  if (entity == nullptr) return Redriven::failed;
  if (!*entity) return Redriven::done;
  if (row.unless_closed && (*entity)->closed_until) return Redriven::closed;
  // Its own is the highest, or was.
  const bool late =
      row.sequence && (*entity)->sequence && is_stale(*row.sequence, *(*entity)->sequence, true);
  return late ? Redriven::stale : Redriven::done;
}

bool RocksDbLedger::redrive(const DeliveryKey& key, Call<Redriven>& call) {
  if (stopped()) {
    call.result = Redriven::failed;
    return true;
  }
  if (!parts_.claims.take(key)) {
    call.result = Redriven::conflict;
    return true;
  }
  const auto found_event = reader_.event_row(key.event);
  const auto found_delivery = reader_.delivery_row(key);
  const auto found_pending = reader_.pending_row(key);
  const auto* const event = std::get_if<std::optional<EventRow>>(&found_event);
  const auto* const delivery = std::get_if<std::optional<DeliveryRow>>(&found_delivery);
  const auto* const pending = std::get_if<std::optional<PendingRow>>(&found_pending);
  if (event == nullptr || delivery == nullptr || pending == nullptr) {
    return give_back(key, call, Redriven::failed);
  }
  if (!*event || (!*delivery && !*pending)) return give_back(key, call, Redriven::absent);
  const bool held = *pending && (*pending)->held;
  const bool dead = *delivery && (*delivery)->state == DeliveryState::dead;
  if (!held && !dead) return give_back(key, call, Redriven::conflict);
  const Redriven may = may_be_redriven(**event);
  if (may != Redriven::done) return give_back(key, call, may);
  auto change = std::make_unique<LedgerChange>();
  change->key = key;
  change->from = dead ? DeliveryState::dead : DeliveryState::failed;
  if (*delivery) change->delivery = **delivery;
  change->delivery.state = DeliveryState::pending;
  change->delivery.attempts = 0;
  change->delivery.ended.reset();
  change->pending = {parts_.clock.now(), 0, (*event)->unless_closed, false, (*event)->entity};
  change->redriven = &call;
  if (push(std::move(change), call.loop)) return false;
  return give_back(key, call, Redriven::failed);
}

bool RocksDbLedger::drop(const DeliveryKey& key, std::string_view why, Call<Changed>& call) {
  if (stopped()) {
    call.result = Changed::failed;
    return true;
  }
  if (!parts_.claims.take(key)) {
    call.result = Changed::conflict;
    return true;
  }
  const auto found_delivery = reader_.delivery_row(key);
  const auto found_pending = reader_.pending_row(key);
  const auto* const delivery = std::get_if<std::optional<DeliveryRow>>(&found_delivery);
  const auto* const pending = std::get_if<std::optional<PendingRow>>(&found_pending);
  if (delivery == nullptr || pending == nullptr) return give_back(key, call, Changed::failed);
  if (!*delivery && !*pending) return give_back(key, call, Changed::absent);
  const bool dead = *delivery && (*delivery)->state == DeliveryState::dead;
  if (!*pending && !dead) return give_back(key, call, Changed::conflict);
  auto change = std::make_unique<LedgerChange>();
  change->key = key;
  change->from = dead ? DeliveryState::dead : DeliveryState::pending;
  if (*delivery) change->delivery = **delivery;
  change->delivery.state = DeliveryState::removed;
  change->delivery.ended = parts_.clock.now();
  change->delivery.error = why.substr(0, error_bytes_max);
  change->changed = &call;
  if (push(std::move(change), call.loop)) return false;
  return give_back(key, call, Changed::failed);
}

std::variant<std::vector<EventView>, Unreadable> RocksDbLedger::events(
    const Fingerprint& fingerprint, std::size_t limit) {
  return reader_.events(fingerprint, limit);
}

std::variant<DeliveryPage, Unreadable> RocksDbLedger::deliveries(
    const DeliveryFilter& filter, const std::optional<DeliveryKey>& after, std::size_t limit) {
  return reader_.deliveries(filter, after, limit);
}

LedgerFigures RocksDbLedger::figures() const {
  LedgerFigures out = reader_.figures();
  out.payload_bytes_max = parts_.limits.bytes_max();
  return out;
}

}  // namespace onceproxy::store
