#include "store/rocksdb/event_rows.hpp"

#include "store/codec.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

// The family `events`, all numbers in values little-endian, all in keys big-endian, times in
// milliseconds since 1970 (signed 64 bits):
//
//   number (u64) -> payload
//   payload   := version(1) head body
//   head, body := u32 length, bytes
//
// The family `deliveries`:
//
//   "m" number              -> event
//   "d" number listener     -> delivery    once anything became of it
//   "p" listener 0x00 number -> pending    as long as it has not ended
//   "z" listener 0x00 number -> nothing    as long as it is dead
//   "y" listener 0x00 number -> nothing    once it has ended as cancelled or removed
//   "f" fingerprint ~number -> nothing     the newest first
//   "x" time number         -> nothing     the event is to be looked at then
//   "n" listener            -> counts      (ledger_counts.cpp); without a listener those of all
//
//   event     := version(1) flags created ended window fingerprint nonce payload_bytes [entity]
//                [sequence] policy request_id trace entity_type entity_id method target listeners
//   flags     := u8          1 unless closed | 2 dead ones are kept | 4 entity | 8 sequence
//                            | 16 payload kept | 32 ended
//   created, ended, window := i64
//   nonce     := 16 bytes
//   payload_bytes := u64
//   sequence  := u8 (kind), i64, u64
//   target    := u32 length, bytes; the other texts u8 length, bytes
//   listeners := u16 number, then each u8 length, bytes
//   delivery  := version(1) state flags attempts last_attempt ended status error
//   flags     := u8          1 last attempt | 2 ended
//   attempts  := u32; status := u16; error := u8 length, bytes
//   pending   := version(1) flags due attempts [entity]
//   flags     := u8          1 unless closed | 2 held | 4 entity
//
// A new field means a new version; a version this code does not know is refused, never guessed at.
namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t number_bytes = 8;
constexpr std::size_t method_bytes_max = 255;

enum EventFlag : std::uint8_t {
  closes_out = 1,
  dead_kept = 2,
  has_entity = 4,
  has_sequence = 8,
  payload_there = 16,
  has_ended = 32,
  event_flags = 63
};
enum DeliveryFlag : std::uint8_t { was_attempted = 1, is_over = 2, delivery_flags = 3 };
enum PendingFlag : std::uint8_t {
  pending_closes_out = 1,
  pending_held = 2,
  pending_entity = 4,
  pending_flags = 7
};

void append_number(std::string& key, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
}

std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t out = 0;
  for (const char byte : bytes.substr(0, number_bytes)) {
    out = out << 8 | static_cast<std::uint8_t>(byte);
  }
  return out;
}

std::string numbered(char family, std::uint64_t number, std::size_t more = 0) {
  std::string key;
  key.reserve(1 + number_bytes + more);
  key.push_back(family);
  append_number(key, number);
  return key;
}

std::string of_listener(char family, std::string_view listener, EventNumber event) {
  std::string key;
  key.reserve(2 + listener.size() + number_bytes);
  key.push_back(family);
  key.append(listener).push_back('\0');
  append_number(key, event);
  return key;
}

bool known(DeliveryState state) {
  return state >= DeliveryState::pending && state <= DeliveryState::removed;
}

bool known(Sequence::Kind kind) {
  return kind == Sequence::Kind::integer || kind == Sequence::Kind::time ||
         kind == Sequence::Kind::hex;
}

}  // namespace

std::string encode(const EventRow& row) {
  constexpr std::size_t fixed = 160;
  Writer out(fixed + row.policy.size() + row.request_id.size() + row.target.size() +
             row.listeners.size() * 16);
  std::uint8_t flags = 0;
  if (row.unless_closed) flags |= closes_out;
  if (row.keep_dead) flags |= dead_kept;
  if (row.entity) flags |= has_entity;
  if (row.sequence) flags |= has_sequence;
  if (row.payload_kept) flags |= payload_there;
  if (row.ended) flags |= has_ended;
  out.number(version);
  out.number(flags);
  out.time(row.created);
  out.time(row.ended.value_or(WallTime()));
  out.number<std::int64_t>(row.window.count());
  out.raw(row.fingerprint.view());
  out.raw(view(row.nonce));
  out.number(row.payload_bytes);
  if (row.entity) out.raw(row.entity->view());
  if (row.sequence) {
    out.number(static_cast<std::uint8_t>(row.sequence->kind));
    out.number(row.sequence->high);
    out.number(row.sequence->low);
  }
  out.short_text(row.policy, policy_bytes_max);
  out.short_text(row.request_id, request_id_bytes_max);
  out.short_text(row.trace, trace_bytes_max);
  out.short_text(row.entity_type, entity_type_bytes_max);
  out.short_text(row.entity_id, entity_id_bytes_max);
  out.short_text(row.method, method_bytes_max);
  out.long_text(row.target);
  out.number(static_cast<std::uint16_t>(row.listeners.size()));
  for (const std::string& listener : row.listeners) out.short_text(listener, listener_bytes_max);
  return out.take();
}

std::optional<EventRow> decode_event_row(std::string_view bytes) {
  Reader in(bytes);
  EventRow row;
  if (in.number<std::uint8_t>() != version) return std::nullopt;
  const auto flags = in.number<std::uint8_t>();
  if ((flags & ~event_flags) != 0) return std::nullopt;
  row.unless_closed = (flags & closes_out) != 0;
  row.keep_dead = (flags & dead_kept) != 0;
  row.payload_kept = (flags & payload_there) != 0;
  row.created = in.time();
  const WallTime ended = in.time();
  if ((flags & has_ended) != 0) row.ended = ended;
  row.window = std::chrono::milliseconds(in.number<std::int64_t>());
  in.into(row.fingerprint.bytes);
  in.into(row.nonce);
  row.payload_bytes = in.number<std::uint64_t>();
  if ((flags & has_entity) != 0) in.into(row.entity.emplace().bytes);
  if ((flags & has_sequence) != 0) {
    const auto kind = static_cast<Sequence::Kind>(in.number<std::uint8_t>());
    const auto high = in.number<std::int64_t>();
    const auto low = in.number<std::uint64_t>();
    if (!known(kind)) return std::nullopt;
    row.sequence = Sequence(kind, high, low);
  }
  row.policy = in.short_text();
  row.request_id = in.short_text();
  row.trace = in.short_text();
  row.entity_type = in.short_text();
  row.entity_id = in.short_text();
  row.method = in.short_text();
  row.target = in.long_text();
  const auto listeners = in.number<std::uint16_t>();
  if (!in.good() || listeners > event_listeners_max) return std::nullopt;
  row.listeners.reserve(listeners);
  for (std::uint16_t i = 0; i < listeners; ++i) row.listeners.emplace_back(in.short_text());
  if (!in.good_to_the_end()) return std::nullopt;
  return row;
}

std::string encode(const DeliveryRow& row) {
  constexpr std::size_t fixed = 28;
  Writer out(fixed + row.error.size());
  std::uint8_t flags = 0;
  if (row.last_attempt) flags |= was_attempted;
  if (row.ended) flags |= is_over;
  out.number(version);
  out.number(static_cast<std::uint8_t>(row.state));
  out.number(flags);
  out.number(row.attempts);
  out.time(row.last_attempt.value_or(WallTime()));
  out.time(row.ended.value_or(WallTime()));
  out.number(static_cast<std::uint16_t>(row.status));
  out.short_text(row.error, error_bytes_max);
  return out.take();
}

std::optional<DeliveryRow> decode_delivery_row(std::string_view bytes) {
  Reader in(bytes);
  DeliveryRow row;
  if (in.number<std::uint8_t>() != version) return std::nullopt;
  row.state = static_cast<DeliveryState>(in.number<std::uint8_t>());
  const auto flags = in.number<std::uint8_t>();
  if (!known(row.state) || (flags & ~delivery_flags) != 0) return std::nullopt;
  row.attempts = in.number<std::uint32_t>();
  const WallTime last_attempt = in.time();
  const WallTime ended = in.time();
  if ((flags & was_attempted) != 0) row.last_attempt = last_attempt;
  if ((flags & is_over) != 0) row.ended = ended;
  row.status = in.number<std::uint16_t>();
  row.error = in.short_text();
  if (!in.good_to_the_end()) return std::nullopt;
  return row;
}

std::string encode(const PendingRow& row) {
  constexpr std::size_t size = 46;
  Writer out(size);
  std::uint8_t flags = 0;
  if (row.unless_closed) flags |= pending_closes_out;
  if (row.held) flags |= pending_held;
  if (row.entity) flags |= pending_entity;
  out.number(version);
  out.number(flags);
  out.time(row.due);
  out.number(row.attempts);
  if (row.entity) out.raw(row.entity->view());
  return out.take();
}

std::optional<PendingRow> decode_pending_row(std::string_view bytes) {
  Reader in(bytes);
  PendingRow row;
  if (in.number<std::uint8_t>() != version) return std::nullopt;
  const auto flags = in.number<std::uint8_t>();
  if ((flags & ~pending_flags) != 0) return std::nullopt;
  row.unless_closed = (flags & pending_closes_out) != 0;
  row.held = (flags & pending_held) != 0;
  row.due = in.time();
  row.attempts = in.number<std::uint32_t>();
  if ((flags & pending_entity) != 0) in.into(row.entity.emplace().bytes);
  if (!in.good_to_the_end()) return std::nullopt;
  return row;
}

std::string encode_payload(std::string_view head, std::string_view body) {
  Writer out(9 + head.size() + body.size());
  out.number(version);
  out.long_text(head);
  out.long_text(body);
  return out.take();
}

bool decode_payload(std::string_view bytes, std::string& head, std::string& body) {
  Reader in(bytes);
  if (in.number<std::uint8_t>() != version) return false;
  head = in.long_text();
  body = in.long_text();
  return in.good_to_the_end();
}

std::string payload_key(EventNumber event) {
  std::string key;
  append_number(key, event);
  return key;
}

std::string event_key(EventNumber event) {
  return numbered('m', event);
}

std::string delivery_prefix(EventNumber event) {
  return numbered('d', event);
}

std::string delivery_key(EventNumber event, std::string_view listener) {
  return numbered('d', event, listener.size()).append(listener);
}

std::string pending_key(std::string_view listener, EventNumber event) {
  return of_listener('p', listener, event);
}

std::string dead_key(std::string_view listener, EventNumber event) {
  return of_listener('z', listener, event);
}

std::string unsent_key(std::string_view listener, EventNumber event) {
  return of_listener('y', listener, event);
}

std::string fingerprint_prefix(const Fingerprint& fingerprint) {
  return std::string("f").append(fingerprint.view());
}

std::string fingerprint_key(const Fingerprint& fingerprint, EventNumber event) {
  std::string key = fingerprint_prefix(fingerprint);
  append_number(key, ~event);
  return key;
}

std::string look_key(WallTime at, EventNumber event) {
  std::string key = numbered('x', static_cast<std::uint64_t>(at.time_since_epoch().count()), 8);
  append_number(key, event);
  return key;
}

std::string counts_key(std::string_view listener) {
  return std::string(counts_prefix).append(listener);
}

EventNumber last_number(std::string_view key) {
  return key.size() < number_bytes ? 0 : read_number(key.substr(key.size() - number_bytes));
}

EventNumber delivery_event(std::string_view key) {
  return key.size() < 1 + number_bytes ? 0 : read_number(key.substr(1));
}

std::string_view delivery_listener(std::string_view key) {
  return key.size() < 1 + number_bytes ? std::string_view() : key.substr(1 + number_bytes);
}

WallTime look_time(std::string_view key) {
  if (key.size() < 1 + number_bytes) return {};
  return WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(read_number(key.substr(1)))));
}

std::string behind(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace onceproxy::store
