// Times in the format of RFC 3339, with their exact value. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::policies {

struct Timestamp {
  /// Seconds since 1970 in UTC; negative before.
  std::int64_t seconds = 0;
  /// Units of 10^-18 seconds after `seconds`, below 10^18.
  std::uint64_t attoseconds = 0;

  friend bool operator==(const Timestamp&, const Timestamp&) = default;
};

/// Reads a time of RFC 3339 5.6, which must be the whole `text`; a space for the T and an offset
/// without its colon are accepted too. A leap second counts as the second after it. Nothing for
/// anything else, such as a time without an offset, which has no position in an order, or with a
/// resolution finer than 10^-18 seconds.
std::optional<Timestamp> parse_timestamp(std::string_view text);

}  // namespace onceproxy::policies
