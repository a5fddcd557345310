// Character classes of ASCII, free of the locale. Pure.
#pragma once

#include <string_view>

namespace onceproxy::policies {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'z';
}

/// The text without the characters of `space` at both ends.
constexpr std::string_view trimmed(std::string_view text, std::string_view space) {
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

/// Optional white space around field values and list elements (RFC 9110 5.6.3).
inline constexpr std::string_view optional_space = " \t";

}  // namespace onceproxy::policies
