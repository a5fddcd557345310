#include "store/rocksdb/handover.hpp"

namespace onceproxy::store {

void Handover::end(const Fingerprint& fingerprint, bool completed, Delivery& out,
                   const Reservations::OutcomeOf& outcome) {
  const auto resources = reservations_.end(fingerprint, completed, out, outcome);
  if (resources) undo(*resources, out);
}

void Handover::end(const Fingerprint& fingerprint, bool completed) {
  Delivery out;
  end(fingerprint, completed, out);
  out.send();
}

void Handover::drop(const Fingerprint& fingerprint, const Nonce& nonce) {
  Delivery out;
  const auto dropped = reservations_.drop(fingerprint, nonce, out);
  if (dropped && dropped->resources) {
    if (const auto& entity = dropped->resources->entity; entity && entity->turn) {
      entities_.abandon(entity->key, dropped->lease_end);
    } else if (entity) {
      entities_.leave(entity->key, false, out);
    }
    if (dropped->resources->rate) rates_.leave(dropped->resources->rate->key);
  }
  out.send();
}

void Handover::undo(const HeldResources& resources, Delivery& out) {
  if (resources.entity) entities_.leave(resources.entity->key, resources.entity->turn, out);
  if (resources.rate) rates_.leave(resources.rate->key);
}

void Handover::turn_is_over(const Fingerprint& fingerprint) {
  Delivery out;
  entities_.end_dead_turn(fingerprint, out);
  out.send();
}

void Handover::stop_waiting() {
  Delivery out;
  reservations_.stop_waiting(out);
  entities_.stop_waiting(out);
  out.send();
}

}  // namespace onceproxy::store
