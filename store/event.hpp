// Events: requests that are stored instead of forwarded, to be delivered to listeners later. What a
// reserve is given to store one, what is kept of it, and what becomes of each of its deliveries. An
// event's number is above that of every event that was on disk before it, and never used twice:
// whoever has seen one will see no lower one appear.
// Plain values; views belong to the caller. Thread-safe as any value is.
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
/// Of one event.
inline constexpr std::size_t event_listeners_max = 1'024;

/// ReserveRequest::event: the request is stored with its reservation, and is delivered to each of
/// the listeners. Stays valid until the call is answered.
struct EventDraft {
  std::string_view method;
  /// The request target as it came.
  std::string_view target;
  /// The fields that listeners may get, each "name: value\r\n". The caller validated them.
  std::string_view head;
  std::string_view body;
  /// Each name once, 1 to listener_bytes_max bytes, none of them 0x00; 1 to event_listeners_max.
  std::span<const std::string_view> listeners;
  /// What the request and its duplicates are answered. Under answer_apart_bytes_min (record.hpp).
  StoredAnswer acknowledgement;
  /// The operations whose memory ends with this one, as in Store::complete().
  std::span<const Fingerprint> ends = {};
  /// Its dead deliveries are kept for LedgerOptions::dead_retention, to be looked at and redriven.
  /// False: as long as its others, the window.
  bool keep_dead = true;
};

/// What became of the delivery to one listener.
enum class DeliveryState : std::uint8_t {
  pending = 1,    ///< not attempted yet
  failed = 2,     ///< attempted in vain, and to be attempted again: between two attempts
  notified = 3,   ///< ended: the listener took it
  dead = 4,       ///< ended: given up; a dead letter
  cancelled = 5,  ///< ended: its entity was closed before it was sent
  removed = 6,    ///< ended: the listener was removed, or an operator dropped it
};
/// Nothing more is done for it, unless an operator redrives it.
constexpr bool is_ended(DeliveryState state) {
  return state != DeliveryState::pending && state != DeliveryState::failed;
}
/// As operators read it: "NOTIFIED".
std::string_view name(DeliveryState state);
/// The state of that name, in either case.
std::optional<DeliveryState> delivery_state(std::string_view name);

/// Names one delivery.
struct DeliveryKey {
  EventNumber event = 0;
  std::string listener;

  friend bool operator==(const DeliveryKey&, const DeliveryKey&) = default;
  friend auto operator<=>(const DeliveryKey&, const DeliveryKey&) = default;
};

/// What a listener's queue needs to know of a delivery that has not ended: small, and read by the
/// hundred.
struct PendingDelivery {
  EventNumber event = 0;
  /// No attempt before then.
  WallTime due{};
  /// Those that have ended.
  std::uint32_t attempts = 0;
  /// Whose deliveries to the listener go in the order of their numbers, one at a time; absent: the
  /// event has no entity, and goes beside any other.
  std::optional<EntityKey> entity;
  /// It waits for an operator, who redrives or drops it; it is attempted no more by itself, and its
  /// entity's later ones wait behind it.
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
  /// For operators; empty where it has no entity.
  std::string entity_type;
  std::string entity_id;
  std::string method;
  std::string target;
  std::string head;
  std::string body;
};

/// One delivery, as the audit of its event shows it.
struct DeliveryView {
  DeliveryKey key;
  Fingerprint fingerprint;
  std::string policy;
  DeliveryState state = DeliveryState::pending;
  /// When its event was stored.
  WallTime created{};
  std::uint32_t attempts = 0;
  /// Absent: none was made.
  std::optional<WallTime> last_attempt;
  /// Of one that has not ended: no attempt before then.
  std::optional<WallTime> due;
  /// The same: it waits for an operator, and `due` says nothing.
  bool held = false;
  std::optional<WallTime> ended;
  /// Of the last answer; 0: there was none.
  int status = 0;
  /// Why the last attempt failed, or why it was given up.
  std::string error;
};

/// One event with all its deliveries.
struct EventView {
  EventNumber number = 0;
  Fingerprint fingerprint;
  WallTime created{};
  /// When its last delivery ended; absent while one is pending.
  std::optional<WallTime> ended;
  std::string policy;
  std::string request_id;
  std::string trace;
  std::string entity_type;
  std::string entity_id;
  std::string method;
  std::string target;
  /// Of head and body. They are there until the event has ended without a dead letter, or is
  /// purged.
  std::uint64_t payload_bytes = 0;
  bool payload_kept = false;
  /// In the order of their listeners' names.
  std::vector<DeliveryView> deliveries;
};

}  // namespace onceproxy::store
