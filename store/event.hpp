// Events: requests that are stored instead of forwarded, and are delivered to listeners later. This
// file has the values that a reserve needs to store an event, the stored event, and the states of
// its deliveries. The number of an event is higher than that of every earlier event on disk, and is
// never reused. After a number was read, no event with a lower number appears. Plain values; views
// belong to the caller. Thread-safe as any value is.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/answer.hpp"
#include "store/fingerprint.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

using EventNumber = std::uint64_t;

inline constexpr std::size_t listener_bytes_max = 63;
/// The maximum number of listeners of one event.
inline constexpr std::size_t event_listeners_max = 1'024;

/// ReserveRequest::event: the request is stored with its reservation and is delivered to each of
/// the listeners. Must stay valid until the call is answered.
struct EventDraft {
  std::string_view method;
  /// The request target as it was received.
  std::string_view target;
  /// The fields that listeners may get, each "name: value\r\n". The caller has validated them.
  std::string_view head;
  std::string_view body;
  /// From 1 to event_listeners_max different names, each of 1 to listener_bytes_max bytes without
  /// 0x00.
  std::span<const std::string_view> listeners;
  /// The answer to the request and its duplicates. Smaller than answer_apart_bytes_min
  /// (record.hpp).
  StoredAnswer acknowledgement;
  /// Operations whose records are removed by this one, as in Store::complete().
  std::span<const Fingerprint> ends = {};
  /// True: dead letters are kept for LedgerOptions::dead_retention, for operators. False: they are
  /// kept as long as the other deliveries, for the window.
  bool keep_dead = true;
};

/// The state of the delivery to one listener.
enum class DeliveryState : std::uint8_t {
  pending = 1,    ///< not attempted yet
  failed = 2,     ///< at least one attempt failed, and another one follows
  notified = 3,   ///< ended: the listener has accepted it
  dead = 4,       ///< ended: it was given up and is a dead letter
  cancelled = 5,  ///< ended: its entity was closed before it was sent
  removed = 6,    ///< ended: the listener was removed, or an operator dropped it
};
/// Whether the delivery is not attempted any more, unless an operator redrives it.
constexpr bool is_ended(DeliveryState state) {
  return state != DeliveryState::pending && state != DeliveryState::failed;
}
/// The name that operators see, such as "NOTIFIED".
std::string_view name(DeliveryState state);
/// The state with this name, in upper or lower case.
std::optional<DeliveryState> delivery_state(std::string_view name);

/// Identifies one delivery.
struct DeliveryKey {
  EventNumber event = 0;
  std::string listener;

  friend bool operator==(const DeliveryKey&, const DeliveryKey&) = default;
  friend auto operator<=>(const DeliveryKey&, const DeliveryKey&) = default;
};

/// The part of a delivery that a listener's queue holds. It is small, because hundreds are read at
/// once.
struct PendingDelivery {
  EventNumber event = 0;
  /// The earliest time of the next attempt.
  WallTime due{};
  /// The number of attempts that have ended.
  std::uint32_t attempts = 0;
  /// Deliveries of one entity to one listener are made one at a time, in the order of their
  /// numbers. Absent: the event has no entity, and waits for no other.
  std::optional<EntityKey> entity;
  /// The delivery waits until an operator redrives or drops it, and so do later ones of its entity.
  bool held = false;
};

/// An event as it is delivered, the same for every listener.
struct Event {
  EventNumber number = 0;
  Fingerprint fingerprint;
  /// When it was stored.
  WallTime created{};
  std::string policy;
  /// As in ReserveRequest.
  std::string request_id;
  std::string trace;
  std::optional<EntityKey> entity;
  /// For operators. Empty if the event has no entity.
  std::string entity_type;
  std::string entity_id;
  std::string method;
  std::string target;
  std::string head;
  std::string body;
};

/// One delivery, as operators see it.
struct DeliveryView {
  DeliveryKey key;
  Fingerprint fingerprint;
  std::string policy;
  DeliveryState state = DeliveryState::pending;
  /// When its event was stored.
  WallTime created{};
  std::uint32_t attempts = 0;
  /// Absent: there was no attempt.
  std::optional<WallTime> last_attempt;
  /// The earliest time of the next attempt. Absent if the delivery has ended.
  std::optional<WallTime> due;
  /// The delivery waits for an operator; `due` has no meaning then.
  bool held = false;
  std::optional<WallTime> ended;
  /// The status of the last answer; 0 if there was none.
  int status = 0;
  /// Why the last attempt failed, or why the delivery was given up.
  std::string error;
};

/// One event with all its deliveries.
struct EventView {
  EventNumber number = 0;
  Fingerprint fingerprint;
  WallTime created{};
  /// When the last delivery ended. Absent while one has not ended.
  std::optional<WallTime> ended;
  std::string policy;
  std::string request_id;
  std::string trace;
  std::string entity_type;
  std::string entity_id;
  std::string method;
  std::string target;
  /// The size of head and body. Both are kept until all deliveries have ended without a dead
  /// letter, or until the event is purged.
  std::uint64_t payload_bytes = 0;
  bool payload_kept = false;
  /// In the order of their listeners' names.
  std::vector<DeliveryView> deliveries;
};

}  // namespace onceproxy::store
