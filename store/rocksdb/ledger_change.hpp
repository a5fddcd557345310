// LedgerChange: one change of the ledger. The thread of the caller decides it; the committer
// assigns the numbers of new events and encodes the rows. Not thread-safe: it has one owner at a
// time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "store/call.hpp"
#include "store/entity.hpp"
#include "store/ledger.hpp"
#include "store/rocksdb/event_rows.hpp"

namespace onceproxy::store {

struct LedgerChange {
  enum class Kind : std::uint8_t {
    store,        ///< a new event, with the reservation of its operation
    deliver,      ///< one delivery gets another state
    acknowledge,  ///< the record of an event gets another answer
  };
  Kind kind = Kind::deliver;

  /// store: the row, without its number and without the parts that are in `event`.
  EventRow row;
  std::string payload;
  /// store: the complete event, for LedgerWatch. Its number is set together with the row's.
  std::shared_ptr<Event> event;
  /// store: the state of the entity before it was completed in memory, taken when the batch was
  /// made.
  std::optional<EntityBefore> entity_before;

  /// deliver: the delivery. store, acknowledge: only key.event is used.
  DeliveryKey key;
  /// deliver: the old state.
  DeliveryState from = DeliveryState::pending;
  /// deliver: the new row.
  DeliveryRow delivery;
  /// deliver: the new row of the index of pending deliveries.
  PendingRow pending;
  /// deliver: an attempt failed and is to be counted.
  bool failed_attempt = false;

  /// acknowledge: the new answer.
  StoredAnswer answer;
  /// Set when the batch is made, if the record or the delivery does not exist any more.
  bool refused = false;

  /// The call to answer. A new event has none: the call of its reservation is answered.
  Call<Settled>* settled = nullptr;
  Call<BeginResult>* begun = nullptr;
  Call<Redriven>* redriven = nullptr;
  Call<Changed>* changed = nullptr;

  std::size_t bytes() const {
    return sizeof *this + payload.size() + row.target.size() + row.listeners.size() * 128 +
           answer.head.size() + answer.body.size() + delivery.error.size();
  }
};

}  // namespace onceproxy::store
