// StoredAnswer: what a completed operation answered, as the store keeps it. A plain value.
#pragma once

#include <cstdint>
#include <string>

namespace onceproxy::store {

/// Why a completed operation has no answer to give again.
enum class NotKept : std::uint8_t {
  too_large = 0,  ///< larger than was to be kept; also what earlier versions did not keep
  stream = 1,     ///< it had no end to wait for
  crowded = 2,    ///< too many answers were arriving at once
  unwanted = 3,   ///< duplicates were to get a fixed answer
  resolved = 4,   ///< there was none: an operator completed the operation
};

/// What a completed operation answered.
struct StoredAnswer {
  int status = 0;
  /// Header lines, each "name: value\r\n", exactly as they are to be sent again. The caller
  /// validated them; the store only keeps them.
  std::string head;
  std::string body;
  /// False: there is nothing to give again; head and body are empty.
  bool replayable = true;
  /// Why, where it is not replayable.
  NotKept not_kept = NotKept::too_large;
};

}  // namespace onceproxy::store
