#include "proxy/telemetry/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "store/hex.hpp"

namespace onceproxy::telemetry {
namespace {

/// Bytes that stand for themselves in a JSON string.
constexpr std::array<bool, 256> plain_bytes = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

/// Those that need no quotes in a text line either.
constexpr std::array<bool, 256> bare_bytes = [] {
  std::array<bool, 256> bare = plain_bytes;
  bare[' '] = false;
  bare['='] = false;
  return bare;
}();

/// Whether some of eight bytes are not plain; true also for some that are.
bool may_need_escapes(const char* bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t high_bits = 0x80 * ones;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  // The highest bit of a byte is set, or becomes so, where it is above 0x7F, below 0x20 or `other`.
  const auto is = [&](std::uint64_t other) {
    const std::uint64_t apart = word ^ (other * ones);
    return (apart - ones) & ~apart;
  };
  const std::uint64_t control = (word - 0x20 * ones) & ~word;
  return ((word | control | is(0x7F) | is('"') | is('\\')) & high_bits) != 0;
}

std::size_t plain_prefix(std::string_view text) {
  std::size_t size = 0;
  while (size + 8 <= text.size() && !may_need_escapes(text.data() + size)) size += 8;
  while (size < text.size() && plain_bytes[static_cast<unsigned char>(text[size])]) ++size;
  return size;
}

/// Length of the UTF-8 sequence that `text` begins with, 0 when there is none (RFC 3629,
/// section 4). `code` is what it stands for.
std::size_t utf8_sequence(std::string_view text, std::uint32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  std::size_t size = 0;
  std::uint32_t least = 0;
  if (first < 0x80) {
    code = first;
    return 1;
  }
  if (first >= 0xc2 && first <= 0xdf) {
    size = 2, least = 0x80, code = first & 0x1f;
  } else if (first >= 0xe0 && first <= 0xef) {
    size = 3, least = 0x800, code = first & 0x0f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    size = 4, least = 0x10000, code = first & 0x07;
  } else {
    return 0;
  }
  if (text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < least || code > 0x10ffff || surrogate ? 0 : size;
}

void append_unicode_escape(std::string& out, std::uint32_t code) {
  char escape[6] = {'\\', 'u'};
  store::write_hex(static_cast<std::uint16_t>(code), escape + 2);
  out.append(escape, sizeof escape);
}

/// Escapes the one character that `text` begins with; answers how many bytes it took.
std::size_t append_character(std::string& out, std::string_view text) {
  switch (text.front()) {
    case '"':
      out += "\\\"";
      return 1;
    case '\\':
      out += "\\\\";
      return 1;
    case '\n':
      out += "\\n";
      return 1;
    case '\r':
      out += "\\r";
      return 1;
    case '\t':
      out += "\\t";
      return 1;
    default:
      break;
  }
  std::uint32_t code = 0;
  const std::size_t size = utf8_sequence(text, code);
  if (size == 0) {
    out += "\xef\xbf\xbd";
    return 1;
  }
  const bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  const bool separator = code == 0x2028 || code == 0x2029;
  if (control || separator) {
    append_unicode_escape(out, code);
  } else {
    out.append(text.substr(0, size));
  }
  return size;
}

void write_digits(char* out, unsigned value, int count) {
  for (char* digit = out + count; digit-- > out; value /= 10)
    *digit = static_cast<char>('0' + value % 10);
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  while (true) {
    const std::size_t plain = plain_prefix(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    text.remove_prefix(append_character(out, text));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

void append_text_value(std::string& out, std::string_view text) {
  const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return bare_bytes[static_cast<unsigned char>(c)];
  });
  if (bare) {
    out.append(text);
  } else {
    append_json_string(out, text);
  }
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::uint32_t code = 0;
    const std::size_t size = utf8_sequence(text, code);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void append_number(std::string& out, std::int64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_milliseconds(std::string& out, std::chrono::nanoseconds duration) {
  const std::int64_t microseconds = duration.count() > 0 ? duration.count() / 1000 : 0;
  append_number(out, microseconds / 1000);
  char decimals[] = ".000";
  write_digits(decimals + 1, static_cast<unsigned>(microseconds % 1000), 3);
  out.append(decimals, 4);
}

std::string_view Timestamp::text(std::chrono::system_clock::time_point time) {
  using std::chrono::floor;
  const auto second = floor<std::chrono::seconds>(time);
  if (second != second_) {
    second_ = second;
    const auto day = floor<std::chrono::days>(second);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(second - day);
    write_digits(text_, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    write_digits(text_ + 5, static_cast<unsigned>(date.month()), 2);
    write_digits(text_ + 8, static_cast<unsigned>(date.day()), 2);
    write_digits(text_ + 11, static_cast<unsigned>(clock.hours().count()), 2);
    write_digits(text_ + 14, static_cast<unsigned>(clock.minutes().count()), 2);
    write_digits(text_ + 17, static_cast<unsigned>(clock.seconds().count()), 2);
  }
  const auto milliseconds = floor<std::chrono::milliseconds>(time - second);
  write_digits(text_ + 20, static_cast<unsigned>(milliseconds.count()), 3);
  return {text_, 24};
}

}  // namespace onceproxy::telemetry
