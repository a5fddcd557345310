#include "store/rocksdb/reserver.hpp"

#include <algorithm>
#include <utility>

#include "store/random.hpp"

namespace onceproxy::store {

using namespace std::chrono_literals;
using Reason = Unavailable::Reason;

namespace {

/// The operation is known, and was asked for again.
bool is_duplicate(const ReserveResult& result) {
  return std::holds_alternative<Completed>(result) || std::holds_alternative<InFlight>(result) ||
         std::holds_alternative<Mismatch>(result) || std::holds_alternative<Held>(result);
}

/// The event's operation is done once the event is on disk.
void complete(Record& record, const EventDraft& draft, WallTime now) {
  record.state = Record::State::completed;
  record.settled = now;
  record.expires = open_event_expiry;
  record.answer = draft.acknowledgement;
}

/// What the event is, but for its number.
std::unique_ptr<LedgerChange> stored_event(const ReserveRequest& request, const Record& record,
                                           WallTime now) {
  const EventDraft& draft = *request.event;
  auto change = std::make_unique<LedgerChange>();
  change->kind = LedgerChange::Kind::store;
  change->payload = encode_payload(draft.head, draft.body);
  EventRow& row = change->row;
  row.created = now;
  row.window = request.terms.window;
  row.fingerprint = request.fingerprint;
  row.nonce = record.nonce;
  row.payload_bytes = draft.head.size() + draft.body.size();
  row.keep_dead = draft.keep_dead;
  row.policy = record.policy;
  row.request_id = record.request_id;
  row.trace = record.trace;
  row.method = draft.method;
  row.target = draft.target;
  row.listeners.assign(draft.listeners.begin(), draft.listeners.end());
  std::ranges::sort(row.listeners);
  if (const auto& entity = request.entity) {
    row.entity = entity->key;
    row.sequence = entity->sequence;
    row.unless_closed = entity->unless_closed;
    row.entity_type = record.entity_type;
    row.entity_id = record.entity_id;
  }
  auto event = std::make_shared<Event>();
  event->fingerprint = row.fingerprint;
  event->created = now;
  event->policy = row.policy;
  event->request_id = row.request_id;
  event->trace = row.trace;
  event->entity = row.entity;
  event->entity_type = row.entity_type;
  event->entity_id = row.entity_id;
  event->method = row.method;
  event->target = row.target;
  event->head = draft.head;
  event->body = draft.body;
  change->event = std::move(event);
  return change;
}

}  // namespace

bool Reserver::reserve(const ReserveRequest& request, Call<ReserveResult>& call) {
  ReserveAttempt attempt{request, call};
  WaiterPtr waiter;
  return go_on(attempt, waiter) == Step::answered;
}

/// Gives back what is in hand, then answers.
Reserver::Step Reserver::refuse(ReserveAttempt& attempt, ReserveResult why, bool completed) {
  if (is_duplicate(why)) {
    const ReserveRequest& request = attempt.request;
    parts_.duplicates.note(request.fingerprint, parts_.clock.now(),
                           std::max(request.terms.window, request.terms.lease));
  }
  attempt.call.result.emplace(std::move(why));
  if (!attempt.claim) return Step::answered;
  Delivery out;
  if (std::exchange(attempt.entity, false)) {
    parts_.entities.leave(attempt.request.entity->key, std::exchange(attempt.turn, false), out);
  }
  attempt.claim = false;
  parts_.handover.end(attempt.request.fingerprint, completed, out);
  out.send();
  return Step::answered;
}

Reserver::Step Reserver::go_on(ReserveAttempt& attempt, WaiterPtr& waiter) {
  for (;;) {
    if (parts_.closing.load(std::memory_order_acquire)) {
      return refuse(attempt, Unavailable{Reason::closing});
    }
    if (parts_.committer.failing()) {
      const Stop stop = go_on_failing(attempt, waiter);
      if (stop) return *stop;
      continue;
    }
    const WallTime now = parts_.clock.now();
    if (!attempt.claim) {
      const Stop stop = claim(attempt, waiter, now);
      if (stop) return *stop;
    }
    if (attempt.claim) return look(attempt, waiter, now);
  }
}

/// The store has failed. Duplicates of operations that are under way in this process are still
/// answered as in flight, because otherwise `on_store_error: forward` would execute them twice.
Reserver::Stop Reserver::go_on_failing(ReserveAttempt& attempt, WaiterPtr& waiter) {
  const ReserveRequest& request = attempt.request;
  if (!attempt.claim) {
    const auto glance = parts_.reservations.glance(request.fingerprint, request.payload);
    if (glance.under_way && glance.differs) return refuse(attempt, Mismatch{});
    if (glance.under_way) return wait_for_outcome(attempt, waiter);
  }
  return refuse(attempt, Unavailable{Reason::failed});
}

/// No result and no claim: the conflicting call has ended in the meantime, so try again.
Reserver::Stop Reserver::claim(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now) {
  const ReserveRequest& request = attempt.request;
  const auto claim = parts_.reservations.claim(request.fingerprint, request.payload);
  switch (claim) {
    case Reservations::Claim::mine:
      attempt.claim = true;
      return std::nullopt;
    case Reservations::Claim::mismatch:
      return refuse(attempt, Mismatch{});
    case Reservations::Claim::in_flight:
      return wait_for_outcome(attempt, waiter);
    case Reservations::Claim::looking:
    case Reservations::Claim::full:
      break;
  }
  auto result = look_without_claim(request, now, claim == Reservations::Claim::full);
  if (!result) return std::nullopt;
  if (std::holds_alternative<InFlight>(*result)) return wait_for_outcome(attempt, waiter);
  return refuse(attempt, std::move(*result));
}

/// For a caller that got no claim, because another one is still reading, or because there is no
/// room: it may get the result that is on disk, but no reservation. Nothing if it should try again.
std::optional<ReserveResult> Reserver::look_without_claim(const ReserveRequest& request,
                                                          WallTime now, bool at_limit) {
  Looked looked = parts_.records.look(request, now, false);
  if (auto* const completed = std::get_if<Completed>(&looked)) return std::move(*completed);
  const auto glance = parts_.reservations.glance(request.fingerprint, request.payload);
  if (!glance.present && !at_limit) return std::nullopt;
  if (glance.present && !glance.looking) {
    if (glance.differs) return Mismatch{};
    return InFlight{};
  }
  if (std::holds_alternative<Free>(looked)) {
    if (!glance.present) return Unavailable{Reason::pending};
    if (glance.differs) return Mismatch{};
    // No request is in flight, and no duplicate may be acknowledged.
    if (glance.by_operator && request.wait <= 0ms) return Held{1ms};
    return InFlight{};
  }
  if (std::holds_alternative<Mismatch>(looked)) return Mismatch{};
  if (const auto* const held = std::get_if<Held>(&looked)) {
    // It may be the record of a reservation that is over by now. A call that can wait gets it from
    // the call that reads with the claim.
    if (glance.present && request.wait > 0ms) return InFlight{};
    return *held;
  }
  return std::get<Unavailable>(looked);
}

/// With the claim in hand.
Reserver::Step Reserver::look(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now) {
  const ReserveRequest& request = attempt.request;
  Looked looked = parts_.records.look(request, now, true);
  if (auto* const completed = std::get_if<Completed>(&looked)) {
    return refuse(attempt, std::move(*completed), true);
  }
  if (std::holds_alternative<Mismatch>(looked)) return refuse(attempt, Mismatch{});
  if (const auto* const held = std::get_if<Held>(&looked)) return refuse(attempt, *held);
  if (auto* const failed = std::get_if<Unavailable>(&looked)) return refuse(attempt, *failed);
  auto& free = std::get<Free>(looked);
  if (!free.previous && parts_.space.full()) return refuse(attempt, Unavailable{Reason::full});
  if (request.event != nullptr && events_full(*request.event)) {
    return refuse(attempt, Unavailable{Reason::events});
  }
  if (request.entity) {
    const Stop stop = take_turn(attempt, waiter, now);
    if (stop) return *stop;
    const auto verdict = parts_.entities.judge(*request.entity, now);
    if (const auto* const closed = std::get_if<Closed>(&verdict)) return refuse(attempt, *closed);
    if (std::holds_alternative<Stale>(verdict)) return refuse(attempt, Stale{});
  }
  return send(attempt, std::move(free), now);
}

Reserver::Stop Reserver::take_turn(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now) {
  if (attempt.entity) return std::nullopt;  // it waited, and has the turn now
  const EntityTerms& terms = *attempt.request.entity;
  switch (parts_.entities.enter(terms, now, nullptr)) {
    case Entities::Entered::yes:
      attempt.entity = true;
      attempt.turn = terms.turn.has_value();
      if (attempt.turn) attempt.call.turn_wait = 0ns;
      return std::nullopt;
    case Entities::Entered::failed:
      return refuse(attempt, Unavailable{Reason::failed});
    case Entities::Entered::corrupt:
      return refuse(attempt, Unavailable{Reason::corrupt});
    case Entities::Entered::full:
      return refuse(attempt, NoTurn{});
    case Entities::Entered::busy:
    case Entities::Entered::queued:
      break;
  }
  return queue_for_turn(attempt, waiter, now);
}

bool Reserver::events_full(const EventDraft& draft) const {
  return parts_.ledger.totals().payload_bytes + draft.head.size() + draft.body.size() >
         parts_.ledger_limits.bytes_max();
}

/// Nothing stands in the way any more but the rate limit: sends the reservation to the disk.
Reserver::Step Reserver::send(ReserveAttempt& attempt, Free free, WallTime now) {
  const ReserveRequest& request = attempt.request;
  std::unique_ptr<HeldResources> resources;
  if (request.entity || request.rate) resources = std::make_unique<HeldResources>();
  if (request.rate) {
    const auto taken = parts_.rates.take(*request.rate, now);
    if (const auto* const over = std::get_if<RateLimited>(&taken)) return refuse(attempt, *over);
    if (const auto* const failed = std::get_if<Unavailable>(&taken))
      return refuse(attempt, *failed);
    resources->rate = HeldResources::OfRate{request.rate->key, std::get<Rates::Token>(taken)};
  }
  Record record;
  record.payload = request.payload;
  fill_random(record.nonce);
  record.fence = parts_.fences.take();
  record.created = now;
  record.policy = request.policy.substr(0, policy_bytes_max);
  record.request_id = request.request_id.substr(0, request_id_bytes_max);
  if (request.trace.size() <= trace_bytes_max) record.trace = request.trace;
  record.path = request.path.substr(0, path_bytes_max);
  if (request.entity) {
    record.entity_type = request.entity->type.substr(0, entity_type_bytes_max);
    record.entity_id = request.entity->id.substr(0, entity_id_bytes_max);
  }
  record.hold = request.terms.unknown == OnUnknown::hold;
  start_lease(record, request.terms, now);
  auto operation = std::make_unique<Operation>();
  if (free.previous) {
    record.attempt = free.previous->attempt + 1;
    record.created = free.previous->created;
    // A caller that knows no payload must not make the next one's go unnoticed.
    if (!record.payload) record.payload = free.previous->payload;
    operation->previous = encode(*free.previous);
  }
  if (const auto& entity = request.entity) {
    resources->entity =
        EntityOperation{entity->key, attempt.turn, entity->sequence, entity->closes};
    if (attempt.turn) {
      parts_.entities.hold(entity->key, {request.fingerprint, record.nonce}, lease_end_max(record));
    }
  }
  operation->kind = Operation::Kind::reserve;
  if (request.event != nullptr) {
    operation->kind = Operation::Kind::accept;
    operation->ends.assign(request.event->ends.begin(), request.event->ends.end());
    std::erase(operation->ends, request.fingerprint);
    complete(record, *request.event, now);
    operation->ledger = stored_event(request, record, now);
  }
  operation->fingerprint = request.fingerprint;
  operation->nonce = record.nonce;
  operation->fence = record.fence;
  operation->attempt = record.attempt;
  operation->record = encode(record);
  operation->resources = resources.get();
  if (parts_.committer.audited()) {
    append(operation->audit,
           AuditForward{now, record.fence, record.attempt, request.fingerprint, request.policy,
                        request.request_id, request.trace_id,
                        Subject{record.path, record.entity_type, record.entity_id}});
    if (request.event != nullptr) {
      append(operation->audit,
             AuditEnding{now, record.fence, AuditEnding::How::completed, record.answer.status, {}});
    }
  }
  operation->reserve_call = &attempt.call;
  // From here on what was in hand is the reservation's.
  attempt.claim = attempt.entity = attempt.turn = false;
  parts_.reservations.reserving(request.fingerprint, std::move(record), request.terms,
                                std::move(resources));
  const Fingerprint fingerprint = request.fingerprint;
  operation = parts_.committer.push(std::move(operation), attempt.call.loop.submits());
  if (operation == nullptr) return Step::sent;
  parts_.handover.end(fingerprint, false);
  return refuse(attempt, Unavailable{Reason::closing});
}

}  // namespace onceproxy::store
