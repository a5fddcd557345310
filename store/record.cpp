#include "store/record.hpp"

#include "store/codec.hpp"

namespace onceproxy::store {

// A record, all numbers little-endian, all times milliseconds since 1970 (signed 64 bits):
//
//   record     := version expires state flags status attempt fence created lease_ends settled
//                 nonce [payload] policy request_id error [trace] [about] answer
//   version    := u8          3; 1 and 2 (with a trace) were written by earlier versions
//   expires    := i64         second, so that compaction reads nine bytes
//   state      := u8          1 reserved, 2 completed, 3 unknown
//   flags      := u8          1 payload present | 2 replayable | 4 answer apart
//                             | 8 hold, from version 3 on
//   status     := u16         0 unless completed
//   attempt    := u32         from 1
//   fence      := u64
//   created, lease_ends, settled := i64
//   nonce      := 16 bytes
//   payload    := 32 bytes    only with flag 1
//   policy, request_id, error := u8 length, bytes
//   trace      := u8 length, bytes      from version 2 on
//   about      := not_kept path entity_type entity_id      from version 3 on
//   not_kept   := u8          why it is not replayable: 0 too large, 1 a stream, 2 crowded,
//                             3 unwanted, 4 resolved; 0 if it is
//   path, entity_type, entity_id := u8 length, bytes
//   answer     := u32 length, bytes (head); u32 length, bytes (body)
//
//   answer key := fingerprint (32 bytes) expires (u64, big-endian) nonce (16 bytes)
//   answer apart := answer
//
// A new field means a new version; a version this code does not know is refused, never guessed at.
// Before version 3, what an operator completed was the only completed record with status 0.
namespace {

constexpr std::uint8_t version_first = 1;
constexpr std::uint8_t version_traced = 2;
constexpr std::uint8_t version_now = 3;
enum Flag : std::uint8_t { payload_present = 1, replayable = 2, answer_apart = 4, hold = 8 };

bool known(std::uint8_t version) {
  return version >= version_first && version <= version_now;
}

std::uint8_t flags_of(std::uint8_t version) {
  return version < version_now ? 7 : 15;
}

bool known(Record::State state) {
  return state == Record::State::reserved || state == Record::State::completed ||
         state == Record::State::unknown;
}

/// False if it cannot be that.
bool read_about(std::uint8_t version, Reader& in, Record& record) {
  StoredAnswer& answer = record.answer;
  if (version < version_now) {
    const bool by_operator = record.state == Record::State::completed && answer.status == 0;
    if (by_operator && !answer.replayable) answer.not_kept = NotKept::resolved;
    return true;
  }
  const auto not_kept = in.number<std::uint8_t>();
  if (not_kept > static_cast<std::uint8_t>(NotKept::resolved)) return false;
  answer.not_kept = static_cast<NotKept>(not_kept);
  record.path = in.short_text();
  record.entity_type = in.short_text();
  record.entity_id = in.short_text();
  return true;
}

}  // namespace

std::string encode(const Record& record) {
  constexpr std::size_t fixed = 128;
  Writer out(fixed + record.policy.size() + record.request_id.size() + record.error.size() +
             record.trace.size() + record.path.size() + record.entity_type.size() +
             record.entity_id.size() + record.answer.head.size() + record.answer.body.size());
  std::uint8_t flags = 0;
  if (record.payload) flags |= payload_present;
  if (record.answer.replayable) flags |= replayable;
  if (record.answer_apart) flags |= answer_apart;
  if (record.hold) flags |= hold;
  out.number(version_now);
  out.time(record.expires);
  out.number(static_cast<std::uint8_t>(record.state));
  out.number(flags);
  out.number(static_cast<std::uint16_t>(record.answer.status));
  out.number(record.attempt);
  out.number(record.fence);
  out.time(record.created);
  out.time(record.lease_ends);
  out.time(record.settled);
  out.raw(view(record.nonce));
  if (record.payload) out.raw(record.payload->view());
  out.short_text(record.policy, policy_bytes_max);
  out.short_text(record.request_id, request_id_bytes_max);
  out.short_text(record.error, error_bytes_max);
  out.short_text(record.trace, trace_bytes_max);
  out.number(record.answer.replayable ? std::uint8_t{0}
                                      : static_cast<std::uint8_t>(record.answer.not_kept));
  out.short_text(record.path, path_bytes_max);
  out.short_text(record.entity_type, entity_type_bytes_max);
  out.short_text(record.entity_id, entity_id_bytes_max);
  out.long_text(record.answer_apart ? std::string_view() : record.answer.head);
  out.long_text(record.answer_apart ? std::string_view() : record.answer.body);
  return out.take();
}

std::optional<Record> decode(std::string_view bytes) {
  Reader in(bytes);
  Record record;
  const auto version = in.number<std::uint8_t>();
  if (!known(version)) return std::nullopt;
  record.expires = in.time();
  record.state = static_cast<Record::State>(in.number<std::uint8_t>());
  const auto flags = in.number<std::uint8_t>();
  if (!known(record.state) || (flags & ~flags_of(version)) != 0) return std::nullopt;
  record.answer.status = in.number<std::uint16_t>();
  record.answer.replayable = (flags & replayable) != 0;
  record.answer_apart = (flags & answer_apart) != 0;
  record.hold = (flags & hold) != 0;
  record.attempt = in.number<std::uint32_t>();
  record.fence = in.number<std::uint64_t>();
  record.created = in.time();
  record.lease_ends = in.time();
  record.settled = in.time();
  in.into(record.nonce);
  if ((flags & payload_present) != 0) in.into(record.payload.emplace().bytes);
  record.policy = in.short_text();
  record.request_id = in.short_text();
  record.error = in.short_text();
  if (version >= version_traced) record.trace = in.short_text();
  if (!read_about(version, in, record)) return std::nullopt;
  record.answer.head = in.long_text();
  record.answer.body = in.long_text();
  if (!in.good_to_the_end()) return std::nullopt;
  return record;
}

std::optional<WallTime> decode_expiry(std::string_view bytes) {
  Reader in(bytes);
  if (!known(in.number<std::uint8_t>())) return std::nullopt;
  const WallTime expires = in.time();
  if (!in.good()) return std::nullopt;
  return expires;
}

namespace {
constexpr std::size_t fingerprint_size = sizeof(Fingerprint::bytes);
constexpr std::size_t answer_key_size = fingerprint_size + 8 + sizeof(Nonce);
}  // namespace

std::string answer_key(const Fingerprint& fingerprint, const Record& record) {
  std::string key;
  key.reserve(answer_key_size);
  key.append(fingerprint.view());
  const auto expires = static_cast<std::uint64_t>(record.expires.time_since_epoch().count());
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(expires >> shift));
  key.append(view(record.nonce));
  return key;
}

std::optional<WallTime> answer_key_expiry(std::string_view key) {
  if (key.size() != answer_key_size) return std::nullopt;
  std::uint64_t expires = 0;
  for (const char byte : key.substr(fingerprint_size, 8)) {
    expires = expires << 8 | static_cast<std::uint8_t>(byte);
  }
  return WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(expires)));
}

std::string encode_answer(const StoredAnswer& answer) {
  Writer out(8 + answer.head.size() + answer.body.size());
  out.long_text(answer.head);
  out.long_text(answer.body);
  return out.take();
}

bool decode_answer(std::string_view bytes, StoredAnswer& answer) {
  Reader in(bytes);
  const std::string_view head = in.long_text();
  const std::string_view body = in.long_text();
  if (!in.good_to_the_end()) return false;
  answer.head = head;
  answer.body = body;
  return true;
}

}  // namespace onceproxy::store
