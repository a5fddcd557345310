// The record of a fingerprint, and its bytes on disk. Pure: no I/O, no clock. record.cpp describes
// the format. Thread-safe.
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
    unknown = 3,    ///< forwarded, and it is unknown whether it happened
  };

  State state = State::reserved;
  std::optional<PayloadDigest> payload;
  Nonce nonce{};
  std::uint64_t fence = 0;
  std::uint32_t attempt = 1;
  WallTime created{};
  /// The end of the lease of a reservation without a holder, or of an unknown outcome; lease.hpp
  /// describes by how much it is extended.
  WallTime lease_ends{};
  /// When the record counts as absent.
  WallTime expires{};
  /// When it became completed or unknown; for a reservation, when its lease was begun or last
  /// renewed. 1970: a reservation of a version that did not store this.
  WallTime settled{};
  std::string policy;
  std::string request_id;
  std::string error;
  /// ReserveRequest::trace.
  std::string trace;
  /// The subject of the operation, for operators. Empty if an earlier version wrote the record, or
  /// if the request has no entity.
  std::string path;
  std::string entity_type;
  std::string entity_id;
  /// Whether an unknown outcome waits for an operator (OnUnknown::hold). False if an earlier
  /// version wrote the record.
  bool hold = false;
  StoredAnswer answer;
  /// Head and body are stored separately, under answer_key(); here they are empty.
  bool answer_apart = false;
};

inline constexpr std::size_t policy_bytes_max = 63;
inline constexpr std::size_t request_id_bytes_max = 255;
inline constexpr std::size_t error_bytes_max = 255;
inline constexpr std::size_t trace_bytes_max = 63;
/// Answers of at least this size are stored separately, where compaction does not copy them.
inline constexpr std::size_t answer_apart_bytes_min = 4096;
inline bool lies_apart(const StoredAnswer& answer) {
  return answer.head.size() + answer.body.size() >= answer_apart_bytes_min;
}

std::string encode(const Record& record);

/// Nothing if the bytes are not a valid record: another version, an impossible state, a wrong
/// length, or additional bytes.
std::optional<Record> decode(std::string_view bytes);

/// Reads only when a record expires, for scans over millions of records.
std::optional<WallTime> decode_expiry(std::string_view bytes);

/// The key of a large answer. It contains the record's expiry, so that purging need not read the
/// answer, and the nonce, so that no later reservation finds it.
std::string answer_key(const Fingerprint& fingerprint, const Record& record);
std::optional<WallTime> answer_key_expiry(std::string_view key);

std::string encode_answer(const StoredAnswer& answer);
/// Sets head and body. Returns false if the bytes are not a valid answer.
bool decode_answer(std::string_view bytes, StoredAnswer& answer);

}  // namespace onceproxy::store
