// StoredAnswer: what a completed operation answered, as the store keeps it. A plain value.
#pragma once

#include <string>

namespace onceproxy::store {

/// What a completed operation answered.
struct StoredAnswer {
  int status = 0;
  /// Header lines, each "name: value\r\n", exactly as they are to be sent again. The caller
  /// validated them; the store only keeps them.
  std::string head;
  std::string body;
  /// False: the answer was too large to keep; head and body are empty.
  bool replayable = true;
};

}  // namespace onceproxy::store
