#include "policies/decode.hpp"

#include <cstdint>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// The six bits that a character of either alphabet stands for, or -1.
constexpr int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

/// The number of '=' that complete a last group of `characters` characters.
constexpr std::size_t padding_of(std::size_t characters) {
  return (4 - characters % 4) % 4;
}

}  // namespace

tl::expected<std::string, std::size_t> decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  std::size_t characters = 0;
  std::size_t padding = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_space(c)) continue;
    if (c == '=') {
      if (++padding > padding_of(characters) || characters % 4 < 2) return tl::unexpected(at);
      continue;
    }
    const int value = base64_value(c);
    if (value < 0 || padding != 0) return tl::unexpected(at);
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    // The first character of a group completes no byte; each further one does.
    const std::size_t in_group = characters++ % 4;
    if (in_group != 0) out += static_cast<char>(bits >> (6 - 2 * in_group) & 0xFF);
  }
  const bool whole = padding == 0 || padding == padding_of(characters);
  if (characters % 4 == 1 || !whole) return tl::unexpected(text.size());
  return out;
}

}  // namespace onceproxy::policies
