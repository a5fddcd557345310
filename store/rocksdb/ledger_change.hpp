// LedgerChange: what one operation changes in the ledger, decided on its caller's thread; the
// committer numbers what is new, and puts the bytes together. Not thread-safe: one owner at a time.
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
    deliver,      ///< one delivery is in another state
    acknowledge,  ///< the record of an event gets another answer
  };
  Kind kind = Kind::deliver;

  /// store: without its number and what lies apart in `event`.
  EventRow row;
  std::string payload;
  /// store: whole, for LedgerWatch; its number is set with the row's.
  std::shared_ptr<Event> event;
  /// store: what the entity was before it was completed in memory, when the batch was made.
  std::optional<EntityBefore> entity_before;

  /// deliver: which one. store, acknowledge: key.event alone.
  DeliveryKey key;
  /// deliver: what it was.
  DeliveryState from = DeliveryState::pending;
  /// deliver: what it is now.
  DeliveryRow delivery;
  /// deliver: where it is pending now.
  PendingRow pending;
  /// deliver: an attempt failed, and is counted.
  bool failed_attempt = false;

  /// acknowledge.
  StoredAnswer answer;
  /// Found when the batch was made: the record, or the delivery, is gone.
  bool refused = false;

  /// One of these is answered, but of an event that is stored.
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
