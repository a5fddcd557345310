// Handover: what happens when a claim or a reservation ends: the entity's turn
// goes to the next, the rate limit is left, and the calls that waited for it are delivered. It
// writes nothing: what is on disk was written before. Thread-safe. No lock is held when anybody is
// delivered.
#pragma once

#include "store/rocksdb/entities.hpp"
#include "store/rocksdb/reservations.hpp"

namespace onceproxy::store {

class Handover {
 public:
  /// All outlive it.
  Handover(Reservations& reservations, Entities& entities, Rates& rates)
      : reservations_(reservations), entities_(entities), rates_(rates) {}

  /// `completed`: its answer is on disk, or `outcome` has it for those who wait.
  void end(const Fingerprint& fingerprint, bool completed, Delivery& out,
           const Reservations::OutcomeOf& outcome = nullptr);
  /// At once, if deliveries are not collected.
  void end(const Fingerprint& fingerprint, bool completed);
  /// The reservation is left to its lease, and so is its turn.
  void drop(const Fingerprint& fingerprint, const Nonce& nonce);
  /// The reservation of a process that died is over before its lease, by an operator's word.
  void turn_is_over(const Fingerprint& fingerprint);
  /// From now on no call may wait; those that do are delivered.
  void stop_waiting();

 private:
  void undo(const HeldResources& resources, Delivery& out);

  Reservations& reservations_;
  Entities& entities_;
  Rates& rates_;
};

}  // namespace onceproxy::store
