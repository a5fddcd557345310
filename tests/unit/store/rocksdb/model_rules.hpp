// One step of the model: what a verb, a timer, the clock or a death does to a state. A step runs
// once for each way it can go. See model.hpp.
#pragma once

#include "model_asking.hpp"

namespace onceproxy::store::model {

class Step : public Asking {
 public:
  using Asking::Asking;

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
    if (ask.rate) give_back(permit, *ask.rate);
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
    // It is not known whether its request still runs, so its turn also ends with the lease.
    if (ask.wants_turn()) {
      die(state_.entities.at(ask.entity->key), state_.records.at(ask.fingerprint));
    }
    state_.pending_steps.push_back({PendingStep::Kind::end_entry, ask.fingerprint, false});
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
    state_.begun = state_.now;
    for (auto& [fingerprint, record] : state_.records) record.earlier = true;
    for (auto& [key, entity] : state_.entities) {
      entity.queue.clear();
      entity.turn = Entity::Turn::open;
      if (const Record* const record = orphan(entity)) die(entity, *record);
    }
  }

 private:
  /// The reservation that a dead process had the turn with, where its lease is not over.
  const Record* orphan(const Entity& entity) const {
    if (!entity.holder) return nullptr;
    const auto& [fingerprint, permit] = *entity.holder;
    const auto found = state_.records.find(fingerprint);
    if (found == state_.records.end()) return nullptr;
    const Record& record = found->second;
    const bool alive = record.state == Record::State::reserved && record.permit == permit &&
                       lease_end(record) > state_.now;
    return alive ? &record : nullptr;
  }

  void die(Entity& entity, const Record& record) const {
    entity.turn = Entity::Turn::dead;
    entity.dead_until = lease_end(record);
  }

  Record* settling(int verb, int permit) {
    const Ask& ask = asks_.at(permit);
    const auto entry = state_.entries.find(ask.fingerprint);
    if (entry == state_.entries.end() || !entry->second.reserved || entry->second.owner != permit) {
      state_.told[verb] = "refused";
      return nullptr;
    }
    // An outcome that cannot be written is written when the disk works again, after the answer.
    state_.told[verb] = failing_ ? "failed" : "done";
    return &state_.records.at(ask.fingerprint);
  }

  void completed_on(const Ask::OfEntity& terms, Millis window) {
    Entity& entity = state_.entities[terms.key];
    if (terms.closes) {
      entity.closed_until = std::max(entity.closed_until, state_.now + *terms.closes);
    }
    if (terms.sequence) {
      const bool forgot = entity.highest && !remembers(entity);
      const bool known = entity.highest && !forgot;
      entity.highest = known ? std::max(*entity.highest, *terms.sequence) : *terms.sequence;
      entity.known_until = state_.now + window;
      // A window that other completions brought lasts on, whether there was a sequence or not.
      if (forgot) entity.forgotten_from = Millis(0);
    }
    entity.forgotten_from =
        std::max({entity.forgotten_from, state_.now + window, entity.closed_until});
  }

  /// A reservation is over, and what it had goes on.
  void end(const Ask& ask, bool completed) {
    state_.pending_steps.push_back({PendingStep::Kind::end_entry, ask.fingerprint, completed});
    if (ask.wants_turn()) pass_turn_later(ask.entity->key);
    settle_down();
  }

  void extend(Record& record, const Terms& terms) const {
    if (state_.now - record.settled > terms.lease / 4) renew(record, terms);
  }
};

}  // namespace onceproxy::store::model
