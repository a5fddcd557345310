// Times as RFC 3339 writes them, exact. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::policies {

struct Timestamp {
  /// Since 1970 in UTC; negative before.
  std::int64_t seconds = 0;
  /// 10^-18 seconds above `seconds`, below 10^18.
  std::uint64_t attoseconds = 0;

  friend bool operator==(const Timestamp&, const Timestamp&) = default;
};

/// RFC 3339 5.6, all of `text`; a space for the T and an offset without its colon are taken too. A
/// leap second is the second behind it. Nothing for anything else: a time without an offset, which
/// has no place in an order, or one that is finer than 10^-18 seconds.
std::optional<Timestamp> parse_timestamp(std::string_view text);

}  // namespace onceproxy::policies
