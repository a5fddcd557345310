// How a Simulation forgets: what is unused and has expired is removed, so that memory follows
// what the policies remember and not the length of the log.
#include "proxy/cli/backtest/simulation.hpp"

namespace onceproxy::backtest {

void Simulation::forget_record(Moment now, const Fingerprint& fingerprint) {
  const auto found = records_.find(fingerprint);
  if (found == records_.end() || found->second.claim || waiting_.contains(fingerprint)) return;
  const Record& record = found->second;
  if (record.state == State::none || record.expires <= now) records_.erase(found);
}

void Simulation::forget_entity(Moment now, const store::EntityKey& key) {
  const auto found = entities_.find(key);
  if (found == entities_.end()) return;
  Entity& entity = found->second;
  // The last one to leave checks again.
  if (entity.taken || !entity.queue.empty()) return;
  if (entity.expires <= now) {
    entities_.erase(found);
  } else if (!entity.expiry_awaited) {
    entity.expiry_awaited = true;
    events_.add({entity.expires, Event::Kind::old_entity, key.bytes});
  }
}

void Simulation::entity_expired(Moment now, const store::EntityKey& key) {
  const auto found = entities_.find(key);
  if (found == entities_.end()) return;
  found->second.expiry_awaited = false;
  forget_entity(now, key);
}

void Simulation::forget_rate(Moment now, const store::RateKey& key) {
  const auto found = rates_.find(key);
  if (found == rates_.end()) return;
  if (found->second.arrival <= now) {
    rates_.erase(found);
  } else {
    const auto expires = std::chrono::ceil<std::chrono::microseconds>(found->second.arrival);
    events_.add({expires, Event::Kind::old_rate, key.bytes});
  }
}

}  // namespace onceproxy::backtest
