// What a reserve comes to in the model, from the top or from where it waited, and what happens by
// itself once somebody has gone: claims and turns go over, in any order. See model.hpp.
#pragma once

#include "model.hpp"

namespace onceproxy::store::model {

class Asking {
 public:
  /// `failing`: what would be written cannot be.
  Asking(State& state, const std::map<int, Ask>& asks, Choices& choices, bool failing)
      : state_(state), asks_(asks), choices_(choices), failing_(failing) {}

  void reserve(int call) {
    state_.hands[call] = {};
    go_on(call);
    settle_down();
  }

 protected:
  static Nanos interval(const Ask::OfRate& rate) { return Nanos(rate.per) / rate.limit; }
  static bool differ(const std::optional<int>& one, const std::optional<int>& other) {
    return one && other && *one != *other;
  }
  static void remove(std::deque<int>& list, int call) {
    list.erase(std::find(list.begin(), list.end(), call));
  }

  // A reserve, from the top or from where it waited.

  void go_on(int call) {
    const Ask& ask = asks_.at(call);
    if (!state_.hands.at(call).claim) {
      if (const auto entry = state_.entries.find(ask.fingerprint); entry != state_.entries.end()) {
        return meet(call, entry->second);
      }
    }
    const Record* const previous = live_record(ask.fingerprint);
    if (previous != nullptr) {
      if (const auto known = judge(*previous, ask)) return refuse(call, *known);
    }
    if (!state_.hands.at(call).claim) {
      state_.hands[call].claim = true;
      state_.entries[ask.fingerprint] = {call, false, ask.payload, {}};
    }
    if (ask.entity && !enter(call)) return;
    if (ask.rate) {
      if (const auto limited = take_token(call, *ask.rate)) return refuse(call, *limited);
    }
    if (failing_) {
      if (ask.rate) give_back(call, *ask.rate);
      return refuse(call, "Unavailable failed");
    }
    make(call, previous);
  }

  /// Somebody else has the fingerprint.
  void meet(int call, Entry& entry) {
    const Ask& ask = asks_.at(call);
    const Record* const record = live_record(ask.fingerprint);
    if (differ(entry.payload, ask.payload) ||
        (!entry.reserved && record != nullptr && differ(record->payload, ask.payload))) {
      return tell(call, "Mismatch");
    }
    if (ask.wait <= Millis(0)) return tell(call, "InFlight");
    entry.parked.push_back(call);
    state_.waiting[call] = state_.now + ask.wait;
  }

  const Record* live_record(int fingerprint) const {
    const auto found = state_.records.find(fingerprint);
    if (found == state_.records.end() || expiry(found->second) <= state_.now) return nullptr;
    return &found->second;
  }

  /// A holder that died may have lived on until just before it would have renewed its lease again.
  static Millis lease_end_max(const Record& record) {
    if (record.state != Record::State::reserved) return record.lease_ends;
    return record.lease_ends + (record.lease_ends - record.settled) / 4 + Millis(2'000);
  }
  /// But no longer than until the next process began.
  Millis lease_end(const Record& record) const {
    const Millis end = lease_end_max(record);
    return record.earlier ? std::min(end, state_.begun + (record.lease_ends - record.settled))
                          : end;
  }
  Millis expiry(const Record& record) const {
    if (record.state != Record::State::reserved) return record.expires;
    return record.expires - (lease_end_max(record) - lease_end(record));
  }

  /// The answer to a fingerprint that no request here has reserved; nothing if it may be reserved.
  std::optional<std::string> judge(const Record& record, const Ask& ask) const {
    if (differ(record.payload, ask.payload)) return "Mismatch";
    if (record.state == Record::State::completed) return completed(record.answer, record.settled);
    if (ask.terms.unknown == OnUnknown::hold) return held(std::nullopt);
    if (lease_end(record) > state_.now) return held(lease_end(record) - state_.now);
    return std::nullopt;
  }

  /// False where it waits for its turn, or was refused.
  bool enter(int call) {
    const Ask::OfEntity& terms = *asks_.at(call).entity;
    Entity& entity = state_.entities[terms.key];
    if (terms.turn && !state_.hands.at(call).turn) {
      if (entity.turn != Entity::Turn::open) {
        if (*terms.turn <= Millis(0)) {
          refuse(call, "NoTurn");
          return false;
        }
        entity.queue.push_back(call);
        state_.waiting[call] = state_.now + *terms.turn;
        return false;
      }
      entity.turn = Entity::Turn::taken;
      state_.hands.at(call).turn = true;
    }
    if (terms.unless_closed && entity.closed_until > state_.now) {
      refuse(call, "Closed " + std::to_string((entity.closed_until - state_.now).count()));
      return false;
    }
    if (terms.sequence && entity.highest && *terms.sequence <= *entity.highest &&
        remembers(entity)) {
      refuse(call, "Stale");
      return false;
    }
    return true;
  }

  bool remembers(const Entity& entity) {
    if (state_.now < entity.known_until) return true;
    return state_.now < entity.forgotten_from && choices_.choose(2) == 1;
  }

  std::optional<std::string> take_token(int call, const Ask::OfRate& rate) {
    Nanos& arrival = state_.arrivals[rate.key];
    const Nanos next = std::max<Nanos>(arrival, state_.now) + interval(rate);
    const Nanos early = next - state_.now - rate.per;
    if (early > Nanos(0)) {
      return "RateLimited " + std::to_string(std::chrono::ceil<Millis>(early).count());
    }
    arrival = next;
    state_.lasts[rate.key] = state_.tokens[call] = state_.now;
    return std::nullopt;
  }

  /// The last token that was taken still counts in full; a token that is given back changes nothing
  /// of that.
  void give_back(int call, const Ask::OfRate& rate) {
    Nanos& arrival = state_.arrivals[rate.key];
    const auto last = state_.lasts.find(rate.key);
    if (last != state_.lasts.end() && last->second != state_.tokens.at(call)) {
      const Nanos needed = last->second + interval(rate);
      if (arrival - interval(rate) < needed) {
        arrival = std::min(arrival, needed);
        return;
      }
    } else {
      state_.lasts.erase(rate.key);
    }
    arrival -= interval(rate);
  }

  void renew(Record& record, const Terms& terms) const {
    record.settled = state_.now;
    record.lease_ends = state_.now + terms.lease;
    record.expires = lease_end_max(record) + terms.window;
  }

  void make(int call, const Record* previous) {
    const Ask& ask = asks_.at(call);
    Record record;
    record.payload = ask.payload;
    record.permit = call;
    if (previous != nullptr) {
      record.attempt = previous->attempt + 1;
      if (!record.payload) record.payload = previous->payload;
    }
    renew(record, ask.terms);
    state_.records[ask.fingerprint] = record;
    Entry& entry = state_.entries.at(ask.fingerprint);
    entry.reserved = true;
    entry.payload = record.payload;
    if (ask.wants_turn()) state_.entities[ask.entity->key].holder = {ask.fingerprint, call};
    tell(call, reserved(record.attempt));
  }

  void tell(int call, std::string answer) {
    state_.told[call] = std::move(answer);
    state_.hands.erase(call);
  }

  /// Told, and what the call had is given back.
  void refuse(int call, std::string answer) {
    const State::Hand hand = state_.hands.at(call);
    const Ask& ask = asks_.at(call);
    tell(call, std::move(answer));
    if (hand.turn) pass_turn_later(ask.entity->key);
    if (hand.claim)
      state_.pending_steps.push_back({PendingStep::Kind::end_entry, ask.fingerprint, false});
  }

  // What happens by itself, in any order.

  void pass_turn_later(int entity) {
    state_.pending_steps.push_back({PendingStep::Kind::pass_turn, entity, false});
  }

  void settle_down() {
    while (!state_.pending_steps.empty()) {
      const std::size_t at =
          reads_only(state_.pending_steps.front()) ? 0 : pick(state_.pending_steps.size());
      const PendingStep step = state_.pending_steps[at];
      state_.pending_steps.erase(state_.pending_steps.begin() + static_cast<std::ptrdiff_t>(at));
      switch (step.kind) {
        case PendingStep::Kind::go_on:
          go_on(step.which);
          break;
        case PendingStep::Kind::end_entry:
          end_entry(step.which, step.completed);
          break;
        case PendingStep::Kind::pass_turn:
          pass_turn(step.which);
          break;
      }
    }
  }

  std::size_t pick(std::size_t of) { return of == 1 ? 0 : choices_.choose(of); }

  /// Those that waited for an outcome, once it is known: their order makes no difference.
  bool reads_only(const PendingStep& step) const {
    return step.kind == PendingStep::Kind::go_on && !state_.hands.at(step.which).claim;
  }

  void go_on_later(int call) {
    state_.waiting.erase(call);
    state_.pending_steps.push_back({PendingStep::Kind::go_on, call, false});
  }

  void end_entry(int fingerprint, bool completed) {
    Entry& entry = state_.entries.at(fingerprint);
    if (completed || entry.parked.empty()) {
      const std::deque<int> parked = std::move(entry.parked);
      state_.entries.erase(fingerprint);
      for (const int call : parked) go_on_later(call);
      return;
    }
    const int heir = entry.parked.front();
    entry.parked.pop_front();
    entry.owner = heir;
    entry.reserved = false;
    entry.payload = asks_.at(heir).payload;
    state_.hands.at(heir).claim = true;
    go_on_later(heir);
  }

  void pass_turn(int key) {
    Entity& entity = state_.entities.at(key);
    if (entity.queue.empty()) {
      entity.turn = Entity::Turn::open;
      return;
    }
    const int next = entity.queue.front();
    entity.queue.pop_front();
    entity.turn = Entity::Turn::taken;
    state_.hands.at(next).turn = true;
    go_on_later(next);
  }

  State& state_;
  const std::map<int, Ask>& asks_;
  Choices& choices_;
  const bool failing_;
};

}  // namespace onceproxy::store::model
