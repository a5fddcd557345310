// Decimal numbers by their exact value. JSON numbers are compared as what is written, not as the
// doubles some reader would make of them: 9007199254740993 and 9007199254740992 are two orders,
// 1.0 and 10e-1 are one. Nothing here ever expands an exponent, so 1e999999999 costs nothing.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// (-1)^negative * digits * 10^exponent. `digits` has no leading and no trailing zeros and is
/// empty for zero, which is never negative: each value has one such form.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;

  friend bool operator==(const Decimal&, const Decimal&) = default;
};

/// Reads a number of RFC 8259 (section 6), all of `text`. Nothing for anything else, nor for an
/// exponent of more than 15 digits, which is beyond what any sender means.
std::optional<Decimal> parse_decimal(std::string_view text);

/// How a text is written.
enum class Notation {
  none,       ///< parse_decimal would not read it
  canonical,  ///< as append_decimal would write it
  other,
};

/// Does not allocate. May say `other` of a rare canonical one, never `canonical` of another.
Notation notation(std::string_view text);

/// Whether parse_decimal would read it.
inline bool is_decimal(std::string_view text) {
  return notation(text) != Notation::none;
}

/// Rounds to so many decimal places, half away from zero.
void round_decimal(Decimal& number, int places);

/// Appends the number in canonical form: the notation of RFC 8785 (ECMAScript Number::toString)
/// with all its digits: 100, 0.5, 1.5e+300.
void append_decimal(const Decimal& number, std::string& out);

/// The same for a number as written, which must satisfy is_decimal.
void append_canonical_number(std::string_view text, std::string& out);

}  // namespace onceproxy::policies
