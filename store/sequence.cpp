#include "store/sequence.hpp"

#include <array>
#include <chrono>
#include <cstdio>

#include "store/hex.hpp"

namespace onceproxy::store {
namespace {

void drop_zeros_at_end(std::string& text) {
  text.resize(text.find_last_not_of('0') + 1);
}

std::string text_of_time(const Sequence& sequence) {
  const std::chrono::sys_seconds moment{std::chrono::seconds(sequence.high)};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(moment - day);
  std::array<char, 64> buffer;
  const int size = std::snprintf(
      buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  std::string out(buffer.data(), static_cast<std::size_t>(size));
  if (sequence.low != 0) {
    const std::string digits = std::to_string(sequence.low);
    out += '.' + std::string(18 - digits.size(), '0') + digits;
    drop_zeros_at_end(out);
  }
  return out + 'Z';
}

std::string text_of_hex(const Sequence& sequence) {
  std::string out(32, '0');
  write_hex(sequence.low, write_hex(sequence.first_digits(), out.data()));
  drop_zeros_at_end(out);
  return out.empty() ? "0" : out;
}

}  // namespace

std::string text(const Sequence& sequence) {
  switch (sequence.kind) {
    case Sequence::Kind::integer:
      return std::to_string(sequence.high);
    case Sequence::Kind::time:
      return text_of_time(sequence);
    case Sequence::Kind::hex:
      return text_of_hex(sequence);
  }
  return "";
}

}  // namespace onceproxy::store
