#include "proxy/cli/backtest/simulation.hpp"

#include <algorithm>
#include <utility>

namespace onceproxy::backtest {

using gate::Decision;
using policies::InFlightRule;
using policies::Operation;
using policies::Policy;
using policies::Verdict;
using store::EntityKey;
using store::RateKey;

namespace {

template <typename Queue>
auto find_id(Queue& queue, std::uint64_t id) {
  return std::find_if(queue.begin(), queue.end(), [&](const auto& each) { return each.id == id; });
}

store::RateTerms rate_terms(const Operation& operation) {
  const policies::RateLimit& limit = *operation.policy->rate_limit;
  return {*operation.rate, limit.limit, limit.per};
}

Decision duplicate(const Policy& policy, bool replayable) {
  if (policy.on_duplicate) return Decision::suppressed;
  return replayable ? Decision::replayed : Decision::not_replayable;
}

}  // namespace

bool Simulation::arrive(Moment now, Arrival arrival) {
  run(now);
  if (entries() >= entries_max_) return false;
  const InFlightRule& rule = arrival.operation.policy->in_flight;
  const bool waits = rule.action == InFlightRule::Action::wait;
  const Moment until = waits ? now + rule.timeout : now;
  ask(now, {next_id_++, until, std::move(arrival)});
  run(now);
  return true;
}

void Simulation::finish() {
  // What else is still to happen is decided already.
  while (waiting_count_ > 0) happen(*events_.take(Moment::max()));
}

void Simulation::run(Moment now) {
  while (const auto event = events_.take(now)) happen(*event);
}

void Simulation::happen(const Event& event) {
  switch (event.kind) {
    case Event::Kind::settle:
      return settle(event.at, {event.key});
    case Event::Kind::take_over:
      return take_over(event.at, {event.key});
    case Event::Kind::next_turn:
      return next_turn(event.at, {event.key});
    case Event::Kind::wait_over:
      return wait_over({event.key}, event.id);
    case Event::Kind::turn_over:
      return turn_over(event.at, {event.key}, event.id);
    case Event::Kind::old_record:
      return forget_record(event.at, {event.key});
    case Event::Kind::old_entity:
      return entity_expired(event.at, {event.key});
    case Event::Kind::old_rate:
      return forget_rate(event.at, {event.key});
  }
}

void Simulation::ask(Moment now, Waiting waiting) {
  const Operation& operation = waiting.arrival.operation;
  const Fingerprint fingerprint = operation.fingerprint;
  Record& record = records_[fingerprint];
  if (!record.claim && (record.state == State::none || record.expires <= now)) record = {};
  if (const auto decision = known(now, record, waiting.arrival)) {
    // The request that holds it will end, so this one waits; with another payload it need not wait.
    if (*decision == Decision::in_flight && waiting.until > now) {
      return wait(std::move(waiting));
    }
    return decide_(*operation.policy, *decision);
  }
  record.payload = operation.payload;
  record.claim = std::make_unique<Claim>(std::move(waiting.arrival));
  if (record.claim->arrival.operation.entity) return take_turn(now, fingerprint);
  proceed(now, fingerprint);
}

std::optional<Decision> Simulation::known(Moment now, const Record& record,
                                          const Arrival& arrival) const {
  const Operation& operation = arrival.operation;
  const Policy& policy = *operation.policy;
  const bool ended = record.claim && record.claim->ended;
  if (!ended && record.payload && operation.payload && *record.payload != *operation.payload) {
    return Decision::mismatch;
  }
  if (record.claim) {
    const bool acknowledges = policy.in_flight.action == InFlightRule::Action::acknowledge;
    return acknowledges && !ended ? Decision::acknowledged : Decision::in_flight;
  }
  if (record.state == State::completed) return duplicate(policy, record.replayable);
  if (record.state == State::none) return std::nullopt;
  const bool hold = policy.terms.unknown == store::OnUnknown::hold;
  if (hold || record.lease_ends > now) return Decision::held;
  return std::nullopt;
}

void Simulation::wait(Waiting waiting) {
  const Fingerprint fingerprint = waiting.arrival.operation.fingerprint;
  events_.add({waiting.until, Event::Kind::wait_over, fingerprint.bytes, waiting.id});
  waiting_[fingerprint].push_back(std::move(waiting));
  ++waiting_count_;
}

void Simulation::take_turn(Moment now, const Fingerprint& fingerprint) {
  Claim& claim = *records_.at(fingerprint).claim;
  const Operation& operation = claim.arrival.operation;
  Entity& entity = entities_[operation.entity->key];
  if (!entity.taken && entity.queue.empty()) {
    entity.taken = claim.has_turn = true;
    return proceed(now, fingerprint);
  }
  const std::uint64_t id = next_id_++;
  const EntityKey key = operation.entity->key;
  entity.queue.push_back({id, fingerprint});
  ++waiting_count_;
  events_.add({now + operation.policy->entity->wait, Event::Kind::turn_over, key.bytes, id});
}

void Simulation::proceed(Moment now, const Fingerprint& fingerprint) {
  const Arrival& arrival = records_.at(fingerprint).claim->arrival;
  if (const auto decision = refusal(now, arrival.operation)) {
    decide_(*arrival.operation.policy, *decision);
    return leave(now, fingerprint);
  }
  const Policy& policy = *arrival.operation.policy;
  decide_(policy, policy.delivery ? Decision::accepted : Decision::forwarded);
  records_.at(fingerprint).claim->forwarded = true;
  events_.add({now + arrival.duration, Event::Kind::settle, fingerprint.bytes});
}

std::optional<Decision> Simulation::refusal(Moment now, const Operation& operation) {
  if (operation.entity) {
    const Entity& entity = entities_.at(operation.entity->key);
    const bool closed = entity.closed_until > now;
    if (operation.policy->entity->unless_closed && closed) return Decision::closed;
    const auto& sequence = operation.entity->sequence;
    const auto& rule = operation.policy->entity->sequence;
    if (sequence && entity.highest &&
        store::is_stale(*sequence, *entity.highest, rule && rule->equal_passes)) {
      return Decision::stale;
    }
  }
  if (operation.rate && !has_token(now, operation)) return Decision::rate_limited;
  return std::nullopt;
}

bool Simulation::has_token(Moment now, const Operation& operation) {
  Rate& rate = rates_[*operation.rate];
  const bool taken = !store::take_token(rate.arrival, now, rate_terms(operation));
  if (!rate.expiry_awaited) {
    rate.expiry_awaited = true;
    const auto expires = std::chrono::ceil<std::chrono::microseconds>(rate.arrival);
    events_.add({expires, Event::Kind::old_rate, operation.rate->bytes});
  }
  return taken;
}

void Simulation::settle(Moment now, const Fingerprint& fingerprint) {
  Record& record = records_.at(fingerprint);
  const Arrival& arrival = record.claim->arrival;
  const store::Terms& terms = arrival.operation.policy->terms;
  switch (arrival.ending) {
    case Verdict::complete:
      complete(now, record);
      if (record.claim->ended) record.state = State::none;
      for (const Fingerprint& ended : arrival.operation.ends) end(now, ended);
      break;
    case Verdict::release:
      record.state = State::none;
      give_back_token(arrival.operation);
      break;
    case Verdict::ambiguous:
      record.state = State::unknown;
      record.lease_ends = now + terms.lease;
      record.expires = now + std::max(terms.window, terms.lease);
      break;
  }
  if (record.state != State::none) {
    events_.add({record.expires, Event::Kind::old_record, fingerprint.bytes});
  }
  leave(now, fingerprint);
}

void Simulation::complete(Moment now, Record& record) {
  const Arrival& arrival = record.claim->arrival;
  const Policy& policy = *arrival.operation.policy;
  record.state = State::completed;
  record.replayable = arrival.replayable;
  record.expires = now + policy.terms.window;
  if (!arrival.operation.entity) return;
  Entity& entity = entities_.at(arrival.operation.entity->key);
  if (const auto& sequence = arrival.operation.entity->sequence) {
    entity.highest = store::higher(entity.highest, *sequence);
  }
  if (policy.entity->closes) {
    entity.closed_until = std::max(entity.closed_until, now + *policy.entity->closes);
  }
  entity.expires = std::max({entity.expires, record.expires, entity.closed_until});
}

/// What is remembered of it ends; of one that is under way, once it completes.
void Simulation::end(Moment now, const Fingerprint& fingerprint) {
  const auto found = records_.find(fingerprint);
  if (found == records_.end()) return;
  if (found->second.claim) {
    found->second.claim->ended = found->second.claim->forwarded;
    return;
  }
  if (found->second.state == State::unknown && found->second.lease_ends > now) return;
  found->second.state = State::none;
  forget_record(now, fingerprint);
}

void Simulation::give_back_token(const Operation& operation) {
  if (!operation.rate) return;
  const auto found = rates_.find(*operation.rate);
  if (found != rates_.end()) {
    found->second.arrival -= store::token_interval(rate_terms(operation));
  }
}

void Simulation::leave(Moment now, const Fingerprint& fingerprint) {
  Record& record = records_.at(fingerprint);
  const std::unique_ptr<Claim> claim = std::move(record.claim);
  if (claim->has_turn) {
    const EntityKey key = claim->arrival.operation.entity->key;
    Entity& entity = entities_.at(key);
    entity.taken = false;
    if (entity.queue.empty()) {
      forget_entity(now, key);
    } else {
      events_.add({now, Event::Kind::next_turn, key.bytes});
    }
  }
  if (waiting_.contains(fingerprint)) {
    events_.add({now, Event::Kind::take_over, fingerprint.bytes});
  } else {
    forget_record(now, fingerprint);
  }
}

void Simulation::take_over(Moment now, const Fingerprint& fingerprint) {
  const auto found = waiting_.find(fingerprint);
  if (found == waiting_.end()) return;
  // Once one of them claims it, the others continue to wait.
  while (!found->second.empty() && !records_[fingerprint].claim) {
    Waiting first = std::move(found->second.front());
    found->second.pop_front();
    --waiting_count_;
    ask(now, std::move(first));
  }
  if (found->second.empty()) waiting_.erase(found);
  forget_record(now, fingerprint);
}

void Simulation::next_turn(Moment now, const EntityKey& key) {
  Entity& entity = entities_.at(key);
  if (entity.taken || entity.queue.empty()) return forget_entity(now, key);
  const Fingerprint fingerprint = entity.queue.front().fingerprint;
  entity.queue.pop_front();
  --waiting_count_;
  entity.taken = records_.at(fingerprint).claim->has_turn = true;
  proceed(now, fingerprint);
}

void Simulation::wait_over(const Fingerprint& fingerprint, std::uint64_t id) {
  const auto found = waiting_.find(fingerprint);
  if (found == waiting_.end()) return;
  const auto waiting = find_id(found->second, id);
  if (waiting == found->second.end()) return;
  decide_(*waiting->arrival.operation.policy, Decision::in_flight);
  found->second.erase(waiting);
  --waiting_count_;
  if (found->second.empty()) waiting_.erase(found);
}

void Simulation::turn_over(Moment now, const EntityKey& key, std::uint64_t id) {
  const auto found = entities_.find(key);
  if (found == entities_.end()) return;
  const auto turn = find_id(found->second.queue, id);
  if (turn == found->second.queue.end()) return;
  const Fingerprint fingerprint = turn->fingerprint;
  found->second.queue.erase(turn);
  --waiting_count_;
  decide_(*records_.at(fingerprint).claim->arrival.operation.policy, Decision::busy);
  leave(now, fingerprint);
}

}  // namespace onceproxy::backtest
