// The rows that the ledger keeps in the families `events` and `deliveries`: their keys, their
// bytes, and what is in them. The grammar stands above the codec in event_rows.cpp. Keys are
// ordered: the numbers in them are big-endian. Pure. Thread-safe as any value is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/event.hpp"
#include "store/permit.hpp"
#include "store/sequence.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

/// Of an event, everything but head and body.
struct EventRow {
  WallTime created{};
  /// When its last delivery ended; absent while one has not.
  std::optional<WallTime> ended;
  std::chrono::milliseconds window{0};
  Fingerprint fingerprint;
  /// Of the reservation: tells whether a record is still the event's.
  Nonce nonce{};
  /// What its payload takes, and whether it is still kept.
  std::uint64_t payload_bytes = 0;
  bool payload_kept = true;
  bool unless_closed = false;
  bool keep_dead = true;
  std::optional<EntityKey> entity;
  std::optional<Sequence> sequence;
  std::string policy;
  std::string request_id;
  std::string trace;
  std::string entity_type;
  std::string entity_id;
  std::string method;
  std::string target;
  /// Sorted.
  std::vector<std::string> listeners;
};

/// Of one delivery, once anything became of it. Without one it is pending, and was not attempted.
struct DeliveryRow {
  DeliveryState state = DeliveryState::pending;
  std::uint32_t attempts = 0;
  std::optional<WallTime> last_attempt;
  std::optional<WallTime> ended;
  int status = 0;
  std::string error;
};

/// Of one delivery that has not ended.
struct PendingRow {
  WallTime due{};
  std::uint32_t attempts = 0;
  bool unless_closed = false;
  bool held = false;
  std::optional<EntityKey> entity;
};

std::string encode(const EventRow& row);
std::optional<EventRow> decode_event_row(std::string_view bytes);
std::string encode(const DeliveryRow& row);
std::optional<DeliveryRow> decode_delivery_row(std::string_view bytes);
std::string encode(const PendingRow& row);
std::optional<PendingRow> decode_pending_row(std::string_view bytes);

std::string encode_payload(std::string_view head, std::string_view body);
/// False where the bytes are no payload.
bool decode_payload(std::string_view bytes, std::string& head, std::string& body);

// Keys.
std::string payload_key(EventNumber event);
std::string event_key(EventNumber event);
std::string delivery_key(EventNumber event, std::string_view listener);
/// What all delivery keys of an event begin with.
std::string delivery_prefix(EventNumber event);
std::string pending_key(std::string_view listener, EventNumber event);
std::string dead_key(std::string_view listener, EventNumber event);
/// Of a delivery that ended as cancelled or removed.
std::string unsent_key(std::string_view listener, EventNumber event);
std::string fingerprint_key(const Fingerprint& fingerprint, EventNumber event);
std::string fingerprint_prefix(const Fingerprint& fingerprint);
/// The event is to be looked at then: whether it has ended, whether it is to be purged.
std::string look_key(WallTime at, EventNumber event);
std::string counts_key(std::string_view listener);

inline constexpr std::string_view event_prefix = "m";
inline constexpr std::string_view look_prefix = "x";
inline constexpr std::string_view counts_prefix = "n";

/// The number that a key ends with (not a delivery's).
EventNumber last_number(std::string_view key);
/// The number and the listener of a delivery key.
EventNumber delivery_event(std::string_view key);
std::string_view delivery_listener(std::string_view key);
WallTime look_time(std::string_view key);
/// Behind all keys that begin with `prefix`.
std::string behind(std::string prefix);

}  // namespace onceproxy::store
