// StoredAnswer: the answer of a completed operation, as the store keeps it. A plain value.
#pragma once

#include <cstdint>
#include <string>

namespace onceproxy::store {

/// The reason why a completed operation has no answer to replay.
enum class NotKept : std::uint8_t {
  too_large = 0,  ///< larger than was to be kept; also what earlier versions did not keep
  stream = 1,     ///< it had no end to wait for
  crowded = 2,    ///< too many answers were arriving at once
  unwanted = 3,   ///< duplicates were to get a fixed answer
  resolved = 4,   ///< there was none: an operator completed the operation
};

/// The answer of a completed operation.
struct StoredAnswer {
  int status = 0;
  /// Header lines, each "name: value\r\n", exactly as they will be sent again. The caller has
  /// validated them; the store only keeps them.
  std::string head;
  std::string body;
  /// If false, there is no answer to replay; head and body are empty.
  bool replayable = true;
  /// The reason, if it is not replayable.
  NotKept not_kept = NotKept::too_large;
};

}  // namespace onceproxy::store
