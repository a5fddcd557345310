#include "policies/json_string.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "store/hex.hpp"

namespace onceproxy::policies {
namespace {

/// The four hexadecimal digits at the front of `rest`, or -1.
std::int32_t take_code_unit(std::string_view& rest) {
  if (rest.size() < 4) return -1;
  std::int32_t unit = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = store::hex_value(rest[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  rest.remove_prefix(4);
  return unit;
}

/// The code point of \uXXXX, the second half of a pair included, or a half that stands alone;
/// `rest` stands after the `u`.
std::int32_t take_code_point(std::string_view& rest) {
  const std::int32_t first = take_code_unit(rest);
  if (first < 0xD800 || first > 0xDBFF || rest.substr(0, 2) != "\\u") return first;
  std::string_view behind = rest.substr(2);
  const std::int32_t second = take_code_unit(behind);
  if (second < 0xDC00 || second > 0xDFFF) return first;
  rest = behind;
  return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

void append_utf8(std::int32_t code_point, std::string& out) {
  const auto c = static_cast<std::uint32_t>(code_point);
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xC0 | c >> 6), tail(0)};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  } else {
    out += {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
  }
}

/// What a one-letter escape stands for, or 0.
char unescaped(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

void append_code_unit(std::uint16_t unit, std::string& out) {
  char text[6] = {'\\', 'u'};
  store::write_hex(unit, text + 2);
  out.append(text, sizeof text);
}

void append_escaped(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      append_code_unit(static_cast<unsigned char>(c), out);
  }
}

/// Half a surrogate pair, from the three bytes that stand for it.
void append_half(std::string_view bytes, std::string& out) {
  const auto second = static_cast<std::uint8_t>(bytes[1]);
  const auto third = static_cast<std::uint8_t>(bytes[2]);
  append_code_unit(static_cast<std::uint16_t>(0xD000 | (second & 0x3F) << 6 | (third & 0x3F)), out);
}

constexpr bool needs_escape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

/// A JSON string's text without the quotes around it.
void append_escaped_text(std::string_view text, std::string& out) {
  for (;;) {
    const std::size_t plain = first_to_escape(text);
    out.append(text.data(), plain);
    if (plain == text.size()) return;
    append_escaped(text[plain], out);
    text.remove_prefix(plain + 1);
  }
}

/// Where in eight bytes the first stands that needs an escape, or 8: a bit trick that looks at all
/// of them at once. What it finds above the first may be wrong, so only the first counts.
std::size_t first_of_eight(const char* bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  std::uint64_t x;
  std::memcpy(&x, bytes, sizeof x);
  const std::uint64_t quote = x ^ ones * '"';
  const std::uint64_t backslash = x ^ ones * '\\';
  const std::uint64_t found =
      ((x - ones * 0x20) & ~x) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
  return static_cast<std::size_t>(std::countr_zero(found & ones * 0x80)) / 8;
}

template <typename Number>
std::uint64_t big_endian(const char* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof number);
  if constexpr (std::endian::native == std::endian::big) return number;
  return sizeof number == 8 ? __builtin_bswap64(number)
                            : __builtin_bswap32(static_cast<std::uint32_t>(number));
}

/// The first eight bytes as a number, the first of them weighing most; zeros stand for what is not
/// there. In two reads, since most names are neither long nor empty.
std::uint64_t first_eight(std::string_view text) {
  const std::size_t size = text.size();
  if (size >= 8) return big_endian<std::uint64_t>(text.data());
  if (size >= 4) {
    const std::uint64_t last = big_endian<std::uint32_t>(text.data() + size - 4);
    return big_endian<std::uint32_t>(text.data()) << 32 | last << 8 * (8 - size);
  }
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    number |= std::uint64_t{static_cast<std::uint8_t>(text[i])} << 8 * (7 - i);
  }
  return number;
}

/// By which the bytes of UTF-8 sort as UTF-16 does. UTF-8 sorts by code point, and UTF-16 differs
/// in one place: what it writes as surrogates (lead byte 0xF0 and up) sorts before U+E000 to U+FFFF
/// (lead bytes 0xEE and 0xEF).
constexpr std::uint8_t utf16_rank(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte == 0xEE || byte == 0xEF ? byte + 0x10 : byte;
}

}  // namespace

bool append_unescaped(std::string_view raw, std::string& out) {
  for (;;) {
    const std::size_t escape = raw.find('\\');
    out.append(raw.substr(0, escape));
    if (escape == std::string_view::npos) return true;
    raw.remove_prefix(escape + 1);
    if (raw.empty()) return false;
    const char kind = raw.front();
    raw.remove_prefix(1);
    if (kind == 'u') {
      const std::int32_t code_point = take_code_point(raw);
      if (code_point < 0) return false;
      append_utf8(code_point, out);
    } else {
      const char c = unescaped(kind);
      if (c == '\0') return false;
      out += c;
    }
  }
}

std::size_t first_to_escape(std::string_view text) {
  std::size_t i = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; i + 8 <= text.size(); i += 8) {
      const std::size_t found = first_of_eight(text.data() + i);
      if (found != 8) return i + found;
    }
  }
  while (i < text.size() && !needs_escape(text[i])) ++i;
  return i;
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  append_escaped_text(text, out);
  out += '"';
}

void append_unescaped_json_string(std::string_view text, std::string& out) {
  // In UTF-8 no byte above 0x9F follows 0xED: it begins half a pair, and two more bytes end it.
  const auto is_half = [&](std::size_t at) {
    return at + 2 < text.size() && static_cast<std::uint8_t>(text[at + 1]) >= 0xA0;
  };
  out += '"';
  std::size_t from = 0;
  for (std::size_t at = text.find('\xED'); at != std::string_view::npos;
       at = text.find('\xED', at + 1)) {
    if (!is_half(at)) continue;
    append_escaped_text(text.substr(from, at - from), out);
    append_half(text.substr(at, 3), out);
    from = at + 3;
  }
  append_escaped_text(text.substr(from), out);
  out += '"';
}

bool utf16_less(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_b == b.end()) return false;
  if (in_a == a.end()) return true;
  return utf16_rank(*in_a) < utf16_rank(*in_b);
}

std::uint64_t utf16_prefix(std::string_view text) {
  const std::size_t size = std::min(text.size(), sizeof(std::uint64_t));
  std::uint64_t prefix = first_eight(text);
  constexpr std::uint64_t above_ascii = 0x8080808080808080;
  if ((prefix & above_ascii) == 0) return prefix;
  prefix = 0;
  for (std::size_t i = 0; i < sizeof prefix; ++i) {
    prefix = prefix << 8 | (i < size ? utf16_rank(text[i]) : 0);
  }
  return prefix;
}

}  // namespace onceproxy::policies
