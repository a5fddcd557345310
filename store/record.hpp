// What the store holds for a fingerprint, and its bytes on disk. Pure: no I/O, no clock. The
// grammar stands above the codec in record.cpp. Thread-safe as any value is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/answer.hpp"
#include "store/fingerprint.hpp"
#include "store/permit.hpp"
#include "store/subject.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

struct Record {
  enum class State : std::uint8_t {
    reserved = 1,   ///< forwarded or about to be; nothing is known of the outcome yet
    completed = 2,  ///< done; `answer` says what it answered
    unknown = 3,    ///< forwarded, and nobody knows whether it happened
  };

  State state = State::reserved;
  std::optional<PayloadDigest> payload;
  Nonce nonce{};
  std::uint64_t fence = 0;
  std::uint32_t attempt = 1;
  WallTime created{};
  /// Until then a reservation whose holder is gone, or an unknown outcome, is left alone; lease.hpp
  /// says for how long beyond.
  WallTime lease_ends{};
  /// From then on the record counts as not there.
  WallTime expires{};
  /// When it became completed or unknown; of a reservation, when its lease was begun or renewed
  /// last. 1970: a reservation that a version wrote which did not say so.
  WallTime settled{};
  std::string policy;
  std::string request_id;
  std::string error;
  /// ReserveRequest::trace.
  std::string trace;
  /// What the operation is about, for operators. Empty where an earlier version wrote the record,
  /// and where the request names no entity.
  std::string path;
  std::string entity_type;
  std::string entity_id;
  /// Whether an unknown outcome waits for an operator (OnUnknown::hold). False where an earlier
  /// version wrote the record.
  bool hold = false;
  StoredAnswer answer;
  /// Head and body lie apart, under answer_key(); here they are empty.
  bool answer_apart = false;
};

inline constexpr std::size_t policy_bytes_max = 63;
inline constexpr std::size_t request_id_bytes_max = 255;
inline constexpr std::size_t error_bytes_max = 255;
inline constexpr std::size_t trace_bytes_max = 63;
/// Answers of this many bytes and more lie apart, where compaction does not copy them.
inline constexpr std::size_t answer_apart_bytes_min = 4096;
inline bool lies_apart(const StoredAnswer& answer) {
  return answer.head.size() + answer.body.size() >= answer_apart_bytes_min;
}

std::string encode(const Record& record);

/// Nothing where the bytes are not a record: another version, an impossible state, a length that
/// does not fit, bytes left over.
std::optional<Record> decode(std::string_view bytes);

/// Only when a record expires, for those that look at millions of them.
std::optional<WallTime> decode_expiry(std::string_view bytes);

/// Where a large answer lies. It carries the record's expiry, so that reclaiming need not read the
/// answer itself; and the nonce, so that no later reservation finds it.
std::string answer_key(const Fingerprint& fingerprint, const Record& record);
std::optional<WallTime> answer_key_expiry(std::string_view key);

std::string encode_answer(const StoredAnswer& answer);
/// Sets head and body. False where the bytes are not an answer.
bool decode_answer(std::string_view bytes, StoredAnswer& answer);

}  // namespace onceproxy::store
