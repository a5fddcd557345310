#include "proxy/grpc/wire.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "store/hex.hpp"

namespace onceproxy::grpc {

namespace {

constexpr std::size_t timeout_digits_max = 8;

/// A unit of time: how many milliseconds it has, or how many of it make a millisecond.
struct Unit {
  std::uint64_t milliseconds = 0;
  std::uint64_t per_millisecond = 1;
};

std::optional<Unit> unit_of(char letter) {
  switch (letter) {
    case 'H':
      return Unit{3'600'000, 1};
    case 'M':
      return Unit{60'000, 1};
    case 'S':
      return Unit{1'000, 1};
    case 'm':
      return Unit{1, 1};
    case 'u':
      return Unit{1, 1'000};
    case 'n':
      return Unit{1, 1'000'000};
    default:
      return std::nullopt;
  }
}

/// Cuts off UTF-8 text after at most `bytes`, at the end of a character.
std::string_view cut_off(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  std::size_t end = bytes;
  while (end > 0 && continues(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace

bool is_grpc(std::string_view type) {
  if (!type.starts_with(content_type)) return false;
  type.remove_prefix(content_type.size());
  return type.empty() || type.front() == '+' || type.front() == ';';
}

std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > timeout_digits_max + 1) return std::nullopt;
  const auto unit = unit_of(text.back());
  text.remove_suffix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!unit || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const std::uint64_t milliseconds =
      unit->per_millisecond == 1 ? number * unit->milliseconds
                                 : (number + unit->per_millisecond - 1) / unit->per_millisecond;
  const std::chrono::milliseconds max = timeout_max;
  return std::chrono::milliseconds(std::min(milliseconds, static_cast<std::uint64_t>(max.count())));
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : cut_off(text, status_message_bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
      out += c;
    } else {
      char escape[2];
      store::write_upper_hex(c, escape);
      out.append("%").append(escape, sizeof escape);
    }
  }
  return out;
}

http2::Fields trailers_of(const Status& status) {
  http2::Fields fields{{"grpc-status", std::to_string(static_cast<int>(status.code))}};
  if (!status.message.empty()) fields.push_back({"grpc-message", percent_encoded(status.message)});
  return fields;
}

}  // namespace onceproxy::grpc
