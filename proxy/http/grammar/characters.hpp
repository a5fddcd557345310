// The characters that are allowed in the parts of a head. Private to this folder; valid_token and
// valid_field_value in head.hpp use it. Pure; thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "policies/ascii.hpp"

namespace onceproxy::http {

/// true at the value of each allowed byte.
using CharacterTable = std::array<bool, 256>;

/// tchar (RFC 9110 5.6.2).
inline constexpr CharacterTable token_chars = [] {
  CharacterTable table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

/// field-vchar, space and tab (RFC 9110 5.5).
inline constexpr CharacterTable value_chars = [] {
  CharacterTable table{};
  for (int c = 0x20; c < 256; ++c) table[c] = c != 0x7F;
  table['\t'] = true;
  return table;
}();

/// The characters of a request target: visible ASCII except '#' and the backslash.
inline constexpr CharacterTable target_chars = [] {
  CharacterTable table{};
  for (int c = 0x21; c < 0x7F; ++c) table[c] = c != '#' && c != '\\';
  return table;
}();

/// unreserved, sub-delims and '%' (RFC 3986 3.2.2).
inline constexpr CharacterTable host_chars = [] {
  CharacterTable table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("-._~!$&'()*+,;=%")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

inline bool all_of(std::string_view text, const CharacterTable& table) {
  return std::ranges::all_of(text, [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

/// all_of(text, value_chars), eight bytes at a time: most of a head are values.
inline bool all_value_chars(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t high_bits = 0x80 * ones;
  std::uint64_t word = 0;
  while (text.size() >= sizeof word) {
    std::memcpy(&word, text.data(), sizeof word);
    // A byte whose highest bit is set here is below 0x20 or equal to 0x7F, or follows such a byte.
    const std::uint64_t no_del = word ^ (0x7F * ones);
    const std::uint64_t suspects = ((word - 0x20 * ones) & ~word) | ((no_del - ones) & ~no_del);
    if ((suspects & high_bits) != 0 && !all_of(text.substr(0, sizeof word), value_chars)) {
      return false;
    }
    text.remove_prefix(sizeof word);
  }
  return all_of(text, value_chars);
}

inline bool digits_only(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return policies::is_digit(c); });
}

}  // namespace onceproxy::http
