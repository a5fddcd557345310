// LedgerOptions: the options of the ledger (ledger.hpp). Plain values.
#pragma once

#include <chrono>
#include <cstdint>

namespace onceproxy::store {

struct LedgerOptions {
  /// How long a dead letter is kept after its event has ended.
  std::chrono::milliseconds dead_retention{std::chrono::hours(14 * 24)};
  /// The limit for the payloads of stored events. Above it new events are refused
  /// (Unavailable::Reason::events).
  std::uint64_t bytes_max = std::uint64_t{1} << 30;

  friend bool operator==(const LedgerOptions&, const LedgerOptions&) = default;
};

}  // namespace onceproxy::store
