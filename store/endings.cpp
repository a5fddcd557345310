#include "store/endings.hpp"

namespace onceproxy::store {

void Endings::end(const Fingerprint& fingerprint, bool completed, Delivery& out) {
  if (const auto ties = reservations_.end(fingerprint, completed, out)) undo(*ties, out);
}

void Endings::end(const Fingerprint& fingerprint, bool completed) {
  Delivery out;
  end(fingerprint, completed, out);
  out.send();
}

void Endings::drop(const Fingerprint& fingerprint, const Nonce& nonce) {
  Delivery out;
  const auto dropped = reservations_.drop(fingerprint, nonce, out);
  if (dropped && dropped->ties) {
    if (const auto& entity = dropped->ties->entity; entity && entity->turn) {
      entities_.abandon(entity->key, dropped->lease_end);
    } else if (entity) {
      entities_.leave(entity->key, false, out);
    }
    if (dropped->ties->rate) rates_.leave(dropped->ties->rate->key);
  }
  out.send();
}

void Endings::undo(const Ties& ties, Delivery& out) {
  if (ties.entity) entities_.leave(ties.entity->key, ties.entity->turn, out);
  if (ties.rate) rates_.leave(ties.rate->key);
}

void Endings::turn_is_over(const Fingerprint& fingerprint) {
  Delivery out;
  entities_.end_dead_turn(fingerprint, out);
  out.send();
}

void Endings::stop_waiting() {
  Delivery out;
  reservations_.stop_waiting(out);
  entities_.stop_waiting(out);
  out.send();
}

}  // namespace onceproxy::store
