// How long a reservation and its outcome are remembered, and what an unknown outcome means.
// Part of the vocabulary that policies/ shares with the store. Plain values.
#pragma once

#include <chrono>

namespace onceproxy::store {

/// What a duplicate may do when the outcome of its operation is unknown and the lease has ended.
enum class OnUnknown {
  retry,  ///< it may go through
  hold,   ///< it is refused until the window ends or an operator resolves it
};

struct Terms {
  /// How long a reservation without a holder may stay unfinished. Above zero.
  std::chrono::milliseconds lease{30'000};
  /// How long a completed operation is remembered, from its completion; an unknown one from the
  /// moment at which it became unknown. Above zero.
  std::chrono::milliseconds window{86'400'000};
  OnUnknown unknown = OnUnknown::retry;
};

}  // namespace onceproxy::store
