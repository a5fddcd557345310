#include "config/foreign_units.hpp"

#include <charconv>
#include <span>
#include <string>

namespace onceproxy::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit duration_names[]{{"ms", 1},
                                {"msec", 1},
                                {"msecs", 1},
                                {"millisecond", 1},
                                {"milliseconds", 1},
                                {"s", 1'000},
                                {"sec", 1'000},
                                {"secs", 1'000},
                                {"second", 1'000},
                                {"seconds", 1'000},
                                {"m", 60'000},
                                {"min", 60'000},
                                {"mins", 60'000},
                                {"minute", 60'000},
                                {"minutes", 60'000},
                                {"h", 3'600'000},
                                {"hr", 3'600'000},
                                {"hrs", 3'600'000},
                                {"hour", 3'600'000},
                                {"hours", 3'600'000},
                                {"d", 86'400'000},
                                {"day", 86'400'000},
                                {"days", 86'400'000},
                                {"w", 604'800'000},
                                {"week", 604'800'000},
                                {"weeks", 604'800'000}};

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;
constexpr std::uint64_t tib = 1024 * gib;
constexpr Unit size_names[]{{"b", 1},     {"byte", 1},  {"bytes", 1}, {"k", kib},  {"kb", kib},
                            {"ki", kib},  {"kib", kib}, {"m", mib},   {"mb", mib}, {"mi", mib},
                            {"mib", mib}, {"g", gib},   {"gb", gib},  {"gi", gib}, {"gib", gib},
                            {"t", tib},   {"tb", tib},  {"ti", tib},  {"tib", tib}};

/// More is surely not meant, and sums of it stay far from overflowing.
constexpr std::uint64_t number_max = 1'000'000;

void skip_spaces(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

std::uint64_t factor_of(std::string_view name, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.factor;
  }
  return 0;
}

/// A number and a unit off the front; a unit alone is one of it. Nothing if it is neither.
std::optional<std::uint64_t> take_amount(std::string_view& text, std::span<const Unit> units) {
  std::uint64_t number = 1;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc::result_out_of_range || number > number_max) return std::nullopt;
  if (read.ec == std::errc()) text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  skip_spaces(text);
  std::size_t letters = 0;
  while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
  const std::uint64_t factor = factor_of(text.substr(0, letters), units);
  if (factor == 0) return std::nullopt;
  text.remove_prefix(letters);
  skip_spaces(text);
  return number * factor;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

std::optional<std::chrono::milliseconds> duration_meant(std::string_view written) {
  // ISO 8601 (PT1H30M) is the same behind its first letters; a month or a year is no duration here.
  const bool iso = written.starts_with("PT");
  const std::string lower = lower_case(iso ? written.substr(2) : written);
  std::string_view text = lower;
  std::uint64_t sum = 0;
  while (!text.empty()) {
    const auto amount = take_amount(text, duration_names);
    if (!amount) return std::nullopt;
    sum += *amount;
  }
  if (sum == 0) return std::nullopt;
  return std::chrono::milliseconds(sum);
}

std::optional<std::uint64_t> size_meant(std::string_view written) {
  const std::string lower = lower_case(written);
  std::string_view text = lower;
  const auto amount = take_amount(text, size_names);
  if (!amount || !text.empty()) return std::nullopt;
  return amount;
}

}  // namespace onceproxy::config
