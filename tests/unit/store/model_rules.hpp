// One step of the model: what a verb, a timer, the clock or a death does to a state. A step runs
// once for each way it can go. See model.hpp.
#pragma once

#include "model.hpp"

namespace onceproxy::store::model {

class Step {
 public:
  /// `failing`: what would be written cannot be.
  Step(State& state, const std::map<int, Ask>& asks, Choices& choices, bool failing = false)
      : state_(state), asks_(asks), choices_(choices), failing_(failing) {}

  void reserve(int call) {
    state_.hands[call] = {};
    go_on(call);
    settle_down();
  }

  void complete(int verb, int permit, int answer) {
    Record* const record = settling(verb, permit);
    if (record == nullptr) return;
    const Ask& ask = asks_.at(permit);
    record->state = Record::State::completed;
    record->settled = state_.now;
    record->expires = state_.now + ask.terms.window;
    record->answer = answer;
    if (ask.entity) completed_on(*ask.entity, ask.terms.window);
    end(ask, true);
  }

  void release(int verb, int permit) {
    if (settling(verb, permit) == nullptr) return;
    const Ask& ask = asks_.at(permit);
    state_.records.erase(ask.fingerprint);
    if (ask.rate) state_.arrivals[ask.rate->key] -= interval(*ask.rate);
    end(ask, false);
  }

  void mark_unknown(int verb, int permit) {
    Record* const record = settling(verb, permit);
    if (record == nullptr) return;
    const Ask& ask = asks_.at(permit);
    record->state = Record::State::unknown;
    record->settled = state_.now;
    record->lease_ends = state_.now + ask.terms.lease;
    record->expires = state_.now + std::max(ask.terms.window, ask.terms.lease);
    end(ask, false);
  }

  void drop(int permit) {
    const Ask& ask = asks_.at(permit);
    // Nobody knows whether its request still runs, so its turn, too, is left to the lease.
    if (ask.wants_turn()) {
      die(state_.entities.at(ask.entity->key), state_.records.at(ask.fingerprint));
    }
    state_.todo.push_back({Todo::Kind::end_entry, ask.fingerprint, false});
    settle_down();
  }

  /// The clock was turned, and what the store does by itself from time to time was done.
  void clock(Millis now) {
    state_.now = now;
    for (auto& [fingerprint, entry] : state_.entries) {
      if (entry.reserved) extend(state_.records.at(fingerprint), asks_.at(entry.owner).terms);
    }
    for (auto& [key, entity] : state_.entities) {
      if (entity.turn == Entity::Turn::dead && entity.dead_until <= now) pass_turn_later(key);
    }
    settle_down();
  }

  /// A call's timer went off. Nothing where it no longer waits for that.
  void time_over(int call) {
    const auto waits = state_.waiting.find(call);
    if (waits == state_.waiting.end() || waits->second > state_.now) return;
    state_.waiting.erase(waits);
    const Ask& ask = asks_.at(call);
    if (state_.hands.at(call).claim) {
      remove(state_.entities.at(ask.entity->key).queue, call);
      refuse(call, "NoTurn");
    } else {
      remove(state_.entries.at(ask.fingerprint).parked, call);
      tell(call, "InFlight");
    }
    settle_down();
  }

  /// The process ends and another opens the same directory.
  void reopen() {
    for (const auto& [call, due] : state_.waiting) state_.told[call] = "Unavailable closing";
    state_.waiting.clear();
    state_.hands.clear();
    state_.entries.clear();
    for (auto& [key, entity] : state_.entities) {
      entity.queue.clear();
      entity.turn = Entity::Turn::open;
      if (const Record* const record = orphan(entity)) die(entity, *record);
    }
  }

 private:
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
      if (const auto limited = take_token(*ask.rate)) return refuse(call, *limited);
    }
    if (failing_) {
      if (ask.rate) state_.arrivals[ask.rate->key] -= interval(*ask.rate);
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
    if (found == state_.records.end() || found->second.expires <= state_.now) return nullptr;
    return &found->second;
  }

  /// What is known of the fingerprint, which nobody here has; nothing where it may be tried.
  std::optional<std::string> judge(const Record& record, const Ask& ask) const {
    if (differ(record.payload, ask.payload)) return "Mismatch";
    if (record.state == Record::State::completed) return completed(record.answer, record.settled);
    if (ask.terms.unknown == OnUnknown::hold) return held(std::nullopt);
    if (record.lease_ends > state_.now) return held(record.lease_ends - state_.now);
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

  /// The reservation that a dead process had the turn with, where its lease is not over.
  const Record* orphan(const Entity& entity) const {
    if (!entity.holder) return nullptr;
    const auto& [fingerprint, permit] = *entity.holder;
    const auto found = state_.records.find(fingerprint);
    if (found == state_.records.end()) return nullptr;
    const Record& record = found->second;
    const bool alive = record.state == Record::State::reserved && record.permit == permit &&
                       record.lease_ends > state_.now;
    return alive ? &record : nullptr;
  }

  static void die(Entity& entity, const Record& record) {
    entity.turn = Entity::Turn::dead;
    entity.dead_until = record.lease_ends;
  }

  std::optional<std::string> take_token(const Ask::OfRate& rate) {
    Nanos& arrival = state_.arrivals[rate.key];
    const Nanos next = std::max<Nanos>(arrival, state_.now) + interval(rate);
    const Nanos early = next - state_.now - rate.per;
    if (early > Nanos(0)) {
      return "RateLimited " + std::to_string(std::chrono::ceil<Millis>(early).count());
    }
    arrival = next;
    return std::nullopt;
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
    record.lease_ends = state_.now + ask.terms.lease;
    record.expires = record.lease_ends + ask.terms.window;
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
    if (hand.claim) state_.todo.push_back({Todo::Kind::end_entry, ask.fingerprint, false});
  }

  // Settling.

  Record* settling(int verb, int permit) {
    const Ask& ask = asks_.at(permit);
    const auto entry = state_.entries.find(ask.fingerprint);
    if (entry == state_.entries.end() || !entry->second.reserved || entry->second.owner != permit) {
      state_.told[verb] = "refused";
      return nullptr;
    }
    // What cannot be written is written when the disk is back; only nobody can be told so.
    state_.told[verb] = failing_ ? "failed" : "done";
    return &state_.records.at(ask.fingerprint);
  }

  void completed_on(const Ask::OfEntity& terms, Millis window) {
    Entity& entity = state_.entities[terms.key];
    if (terms.closes) {
      entity.closed_until = std::max(entity.closed_until, state_.now + *terms.closes);
    }
    if (terms.sequence) {
      const bool known = entity.highest && remembers(entity);
      entity.highest = known ? std::max(*entity.highest, *terms.sequence) : *terms.sequence;
      entity.known_until = state_.now + window;
      if (!known) entity.forgotten_from = Millis(0);
    }
    entity.forgotten_from =
        std::max({entity.forgotten_from, state_.now + window, entity.closed_until});
  }

  /// A reservation is over, and what it had goes on.
  void end(const Ask& ask, bool completed) {
    state_.todo.push_back({Todo::Kind::end_entry, ask.fingerprint, completed});
    if (ask.wants_turn()) pass_turn_later(ask.entity->key);
    settle_down();
  }

  void extend(Record& record, const Terms& terms) const {
    if (record.lease_ends - state_.now >= terms.lease - terms.lease / 4) return;
    record.lease_ends = state_.now + terms.lease;
    record.expires = record.lease_ends + terms.window;
  }

  // What happens by itself, in any order.

  void pass_turn_later(int entity) {
    state_.todo.push_back({Todo::Kind::pass_turn, entity, false});
  }

  void settle_down() {
    while (!state_.todo.empty()) {
      const std::size_t at = reads_only(state_.todo.front()) ? 0 : pick(state_.todo.size());
      const Todo todo = state_.todo[at];
      state_.todo.erase(state_.todo.begin() + static_cast<std::ptrdiff_t>(at));
      switch (todo.kind) {
        case Todo::Kind::go_on:
          go_on(todo.which);
          break;
        case Todo::Kind::end_entry:
          end_entry(todo.which, todo.completed);
          break;
        case Todo::Kind::pass_turn:
          pass_turn(todo.which);
          break;
      }
    }
  }

  std::size_t pick(std::size_t of) { return of == 1 ? 0 : choices_.choose(of); }

  /// Those that waited for an outcome, once it is known: their order makes no difference.
  bool reads_only(const Todo& todo) const {
    return todo.kind == Todo::Kind::go_on && !state_.hands.at(todo.which).claim;
  }

  void go_on_later(int call) {
    state_.waiting.erase(call);
    state_.todo.push_back({Todo::Kind::go_on, call, false});
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
