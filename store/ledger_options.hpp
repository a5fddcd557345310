// LedgerOptions: what an operator sets of the ledger (ledger.hpp). Plain values.
#pragma once

#include <chrono>
#include <cstdint>

namespace onceproxy::store {

struct LedgerOptions {
  /// How long a dead letter is kept after its event has ended.
  std::chrono::milliseconds dead_retention{std::chrono::hours(14 * 24)};
  /// Of the payloads that are kept. Over it new events are refused (Unavailable::Reason::events).
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
};

}  // namespace onceproxy::store
