#include "policies/sequence.hpp"

#include <charconv>
#include <string>
#include <system_error>

#include "policies/number.hpp"
#include "policies/timestamp.hpp"
#include "store/hex.hpp"

namespace onceproxy::policies {
namespace {

using store::Sequence;

std::optional<std::int64_t> integer_of_digits(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

/// By value: 1.0 and 1e2 are integers. Nothing is expanded that cannot fit.
std::optional<std::int64_t> integer_of_number(std::string_view text) {
  constexpr std::int64_t digits_max = 19;
  auto number = parse_decimal(text);
  if (!number || number->exponent < 0 || number->exponent > digits_max) return std::nullopt;
  number->digits.append(static_cast<std::size_t>(number->exponent), '0');
  if (number->digits.empty()) return 0;
  return integer_of_digits((number->negative ? "-" : "") + number->digits);
}

std::optional<Sequence> sequence_of_time(std::string_view text) {
  const auto time = parse_timestamp(text);
  if (!time) return std::nullopt;
  return Sequence::of_time(time->seconds, time->attoseconds);
}

/// Digits that are not there count as zeros behind those that are.
std::optional<Sequence> sequence_of_hex(std::string_view text) {
  constexpr std::size_t digits_of_part = 16;
  if (text.empty() || text.size() > 2 * digits_of_part) return std::nullopt;
  std::uint64_t parts[2] = {0, 0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int digit = store::hex_value(text[i]);
    if (digit < 0) return std::nullopt;
    parts[i / digits_of_part] |= static_cast<std::uint64_t>(digit)
                                 << (60 - 4 * (i % digits_of_part));
  }
  return Sequence::of_hex(parts[0], parts[1]);
}

}  // namespace

std::string_view described(Sequence::Kind kind) {
  switch (kind) {
    case Sequence::Kind::integer:
      return "an integer of 64 bits";
    case Sequence::Kind::time:
      return "a time with its offset (RFC 3339)";
    case Sequence::Kind::hex:
      return "a text of 1 to 32 hexadecimal digits";
  }
  return "";
}

std::optional<Sequence> parse_sequence(Sequence::Kind kind, ValueType type, std::string_view text) {
  if (kind == Sequence::Kind::integer) {
    return type == ValueType::json ? integer_of_number(text) : integer_of_digits(text);
  }
  if (type != ValueType::text) return std::nullopt;
  return kind == Sequence::Kind::time ? sequence_of_time(text) : sequence_of_hex(text);
}

tl::expected<Sequence, SelectError> read_sequence(const SequenceRule& rule,
                                                  const Subject& subject) {
  std::string text;
  const auto type = append_field(rule, subject, text);
  if (!type) return tl::unexpected(type.error());
  const Sequence::Kind kind = rule.kind();
  if (const auto sequence = parse_sequence(kind, *type, text)) return *sequence;
  return tl::unexpected(SelectError{SelectError::Kind::missing, rule.text, described(kind)});
}

}  // namespace onceproxy::policies
