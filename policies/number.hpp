// Decimal numbers with their exact values. JSON numbers are compared as they are written, not as
// doubles: 9007199254740993 and 9007199254740992 differ, and 1.0 and 10e-1 are equal. Exponents are
// never expanded, so 1e999999999 costs nothing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// (-1)^negative * digits * 10^exponent. `digits` has no leading or trailing zeros. It is empty for
/// zero, which is never negative. So each value has exactly one form.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;

  friend bool operator==(const Decimal&, const Decimal&) = default;
};

/// Reads a number of RFC 8259 (section 6), which must be the whole `text`. Nothing for anything
/// else, and for an exponent of more than 15 digits, which no sender needs.
std::optional<Decimal> parse_decimal(std::string_view text);

/// How a number is written.
enum class Notation {
  none,       ///< parse_decimal would not read it
  canonical,  ///< as append_decimal would write it
  other,
};

/// Does not allocate. It may return `other` for a rare canonical number, and never `canonical` for
/// another.
Notation notation(std::string_view text);

/// Whether parse_decimal accepts it.
inline bool is_decimal(std::string_view text) {
  return notation(text) != Notation::none;
}

/// Rounds to this many decimal places, half away from zero.
void round_decimal(Decimal& number, int places);

/// Appends the number in canonical form: the notation of RFC 8785 (ECMAScript Number::toString)
/// with all its digits: 100, 0.5, 1.5e+300.
void append_decimal(const Decimal& number, std::string& out);

/// The same for a number as written, which must satisfy is_decimal.
void append_canonical_number(std::string_view text, std::string& out);

}  // namespace onceproxy::policies
