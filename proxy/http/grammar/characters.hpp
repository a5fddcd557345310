// Which characters may stand where in a head. Private to this folder; valid_token and
// valid_field_value, which head.hpp declares, are made of it. Pure; thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "policies/ascii.hpp"

namespace onceproxy::http {

/// True at the value of each byte that may stand there.
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

/// What may stand in a request target: visible ASCII but '#' and a raw backslash.
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

inline bool digits_only(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return policies::is_digit(c); });
}

}  // namespace onceproxy::http
