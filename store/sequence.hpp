// Sequence: the position of an operation in the order of its entity. An integer, a time or
// hexadecimal digits; there is no order between two kinds. Part of the vocabulary that policies/
// shares with the store. A plain value.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace onceproxy::store {

struct Sequence {
  enum class Kind : std::uint8_t {
    integer = 1,
    time = 2,
    hex = 3,  ///< up to 32 digits, compared from the left; the shorter one is filled up with zeros
  };

  // NOLINTNEXTLINE(google-explicit-constructor): an integer is a sequence.
  Sequence(std::int64_t integer = 0) : high(integer) {}
  /// Seconds since 1970, and units of 10^-18 seconds.
  static Sequence of_time(std::int64_t seconds, std::uint64_t attoseconds) {
    return {Kind::time, seconds, attoseconds};
  }
  /// The first 16 digits and the next 16.
  static Sequence of_hex(std::uint64_t first, std::uint64_t next) {
    return {Kind::hex, static_cast<std::int64_t>(first ^ sign_bit), next};
  }
  Sequence(Kind of_kind, std::int64_t high_part, std::uint64_t low_part)
      : kind(of_kind), high(high_part), low(low_part) {}

  /// For hexadecimal digits, the first 16.
  std::uint64_t first_digits() const { return static_cast<std::uint64_t>(high) ^ sign_bit; }

  Kind kind = Kind::integer;
  /// Ordered by `high`, then by `low`.
  std::int64_t high = 0;
  std::uint64_t low = 0;

  static constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

  friend bool operator==(const Sequence&, const Sequence&) = default;
  friend std::partial_ordering operator<=>(const Sequence& a, const Sequence& b) {
    if (a.kind != b.kind) return std::partial_ordering::unordered;
    if (a.high != b.high) return a.high <=> b.high;
    return a.low <=> b.low;
  }
};

/// Whether an operation is too late for an entity that has completed `highest`. A sequence of
/// another kind does not count, because the policy has changed since.
inline bool is_stale(const Sequence& asked, const Sequence& highest, bool equal_passes) {
  return asked < highest || (asked == highest && !equal_passes);
}

/// The highest sequence of an entity after it has also completed `sequence`.
inline Sequence higher(const std::optional<Sequence>& highest, const Sequence& sequence) {
  return highest && sequence < *highest ? *highest : sequence;
}

/// For people: digits, a time in UTC as in RFC 3339, or hexadecimal digits without trailing zeros.
std::string text(const Sequence& sequence);

}  // namespace onceproxy::store
