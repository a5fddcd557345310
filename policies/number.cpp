#include "policies/number.hpp"

#include <charconv>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::size_t exponent_digits_max = 15;

/// The parts of a number as written.
struct Token {
  bool negative = false;
  std::string_view integer;
  std::string_view fraction;
  bool has_exponent = false;
  bool exponent_negative = false;
  std::string_view exponent;
};

std::string_view take_digits(std::string_view& rest) {
  std::size_t n = 0;
  while (n < rest.size() && is_digit(rest[n])) ++n;
  const std::string_view digits = rest.substr(0, n);
  rest.remove_prefix(n);
  return digits;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

bool take_exponent(std::string_view& rest, Token& token) {
  if (!take(rest, 'e') && !take(rest, 'E')) return true;
  token.has_exponent = true;
  token.exponent_negative = take(rest, '-');
  if (!token.exponent_negative) take(rest, '+');
  token.exponent = take_digits(rest);
  if (token.exponent.empty()) return false;
  const std::size_t zeros = std::min(token.exponent.find_first_not_of('0'), token.exponent.size());
  token.exponent.remove_prefix(zeros);
  return token.exponent.size() <= exponent_digits_max;
}

std::optional<Token> split(std::string_view rest) {
  Token token;
  token.negative = take(rest, '-');
  token.integer = take_digits(rest);
  if (token.integer.empty()) return std::nullopt;
  if (token.integer.size() > 1 && token.integer.front() == '0') return std::nullopt;
  if (take(rest, '.')) {
    token.fraction = take_digits(rest);
    if (token.fraction.empty()) return std::nullopt;
  }
  if (!take_exponent(rest, token) || !rest.empty()) return std::nullopt;
  return token;
}

Decimal to_decimal(const Token& token) {
  Decimal number;
  number.digits.reserve(token.integer.size() + token.fraction.size());
  number.digits.append(token.integer).append(token.fraction);
  const std::size_t last = number.digits.find_last_not_of('0');
  if (last == std::string::npos) return Decimal{};
  const std::size_t trailing = number.digits.size() - 1 - last;
  number.digits.resize(last + 1);
  number.digits.erase(0, number.digits.find_first_not_of('0'));

  std::from_chars(token.exponent.data(), token.exponent.data() + token.exponent.size(),
                  number.exponent);
  if (token.exponent_negative) number.exponent = -number.exponent;
  number.exponent +=
      static_cast<std::int64_t>(trailing) - static_cast<std::int64_t>(token.fraction.size());
  number.negative = token.negative;
  return number;
}

/// Most numbers are written as 42 or 12.5. One pass over the text finds those, and may miss others.
bool is_plainly_canonical(std::string_view text) {
  std::size_t i = text.starts_with('-') ? 1 : 0;
  if (i == text.size() || text.size() > 21 || text[i] < '1' || text[i] > '9') return false;
  while (i < text.size() && is_digit(text[i])) ++i;
  if (i == text.size()) return true;
  if (text[i] != '.' || text.back() == '0') return false;
  const std::size_t point = i++;
  while (i < text.size() && is_digit(text[i])) ++i;
  return i == text.size() && i > point + 1;
}

/// Whether what is written is the canonical form already.
bool is_canonical(const Token& token) {
  if (token.has_exponent || token.integer.size() + token.fraction.size() > 21) return false;
  if (token.fraction.empty()) return token.integer != "0" || !token.negative;
  if (token.fraction.back() == '0') return false;
  return token.integer != "0" || token.fraction.front() != '0';
}

void append_scientific(const Decimal& number, std::int64_t point, std::string& out) {
  out += number.digits[0];
  if (number.digits.size() > 1) out.append(".").append(number.digits, 1);
  out += point > 0 ? "e+" : "e-";
  out += std::to_string(point > 0 ? point - 1 : 1 - point);
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  const auto token = split(text);
  if (!token) return std::nullopt;
  return to_decimal(*token);
}

Notation notation(std::string_view text) {
  if (is_plainly_canonical(text)) return Notation::canonical;
  const auto token = split(text);
  if (!token) return Notation::none;
  return is_canonical(*token) ? Notation::canonical : Notation::other;
}

void round_decimal(Decimal& number, int places) {
  const std::int64_t excess = -number.exponent - places;
  if (number.digits.empty() || excess <= 0) return;
  const auto size = static_cast<std::int64_t>(number.digits.size());
  if (excess > size) {
    number = Decimal{};
    return;
  }
  const auto kept = static_cast<std::size_t>(size - excess);
  const bool up = number.digits[kept] >= '5';
  number.digits.resize(kept);
  number.exponent = -places;
  if (up) {
    std::size_t i = kept;
    while (i > 0 && number.digits[i - 1] == '9') number.digits[--i] = '0';
    if (i > 0) {
      ++number.digits[i - 1];
    } else {
      number.digits.insert(0, 1, '1');
    }
  }
  const std::size_t last = number.digits.find_last_not_of('0');
  if (last == std::string::npos) {
    number = Decimal{};
    return;
  }
  number.exponent += static_cast<std::int64_t>(number.digits.size() - 1 - last);
  number.digits.resize(last + 1);
}

void append_decimal(const Decimal& number, std::string& out) {
  if (number.digits.empty()) {
    out += '0';
    return;
  }
  if (number.negative) out += '-';
  const auto size = static_cast<std::int64_t>(number.digits.size());
  // Where the decimal point stands, counted from before the first digit.
  const std::int64_t point = size + number.exponent;
  if (size <= point && point <= 21) {
    out.append(number.digits).append(static_cast<std::size_t>(point - size), '0');
  } else if (0 < point && point <= 21) {
    const auto whole = static_cast<std::size_t>(point);
    out.append(number.digits, 0, whole).append(".").append(number.digits, whole);
  } else if (-6 < point && point <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-point), '0').append(number.digits);
  } else {
    append_scientific(number, point, out);
  }
}

void append_canonical_number(std::string_view text, std::string& out) {
  const auto token = split(text);
  if (!token) return;
  if (is_canonical(*token)) {
    out.append(text);
  } else {
    append_decimal(to_decimal(*token), out);
  }
}

}  // namespace onceproxy::policies
