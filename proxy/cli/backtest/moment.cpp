#include "proxy/cli/backtest/moment.hpp"

#include <charconv>
#include <cstdint>

#include "policies/scanner.hpp"
#include "policies/timestamp.hpp"
#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::backtest {
namespace {

using policies::Scanner;
using std::chrono::microseconds;

// The years' bound keeps every sum of a moment and a window within 64 bits of nanoseconds.
constexpr std::string_view year_min = "1970";
constexpr std::string_view year_max = "2199";
constexpr Moment moment_end = std::chrono::sys_days{std::chrono::year{2200} / 1 / 1};

/// The first `places` digits of a fraction as a whole number; those beyond are dropped.
std::int64_t fraction(std::string_view digits, int places) {
  std::int64_t value = 0;
  for (int i = 0; i < places; ++i) {
    const auto at = static_cast<std::size_t>(i);
    value = value * 10 + (at < digits.size() ? digits[at] - '0' : 0);
  }
  return value;
}

/// A dot and digits, or nothing. False if a dot has no digits.
bool take_fraction(Scanner& scanner, std::string_view& digits) {
  if (scanner.any_of(".") == 0) return true;
  digits = scanner.all_digits();
  return !digits.empty();
}

std::optional<Moment> parse_date_time(std::string_view text) {
  const auto time = policies::parse_timestamp(text);
  if (!time || text < year_min || text.substr(0, year_max.size()) > year_max) return std::nullopt;
  constexpr std::uint64_t attoseconds_of_microsecond = 1'000'000'000'000;
  const auto rest = static_cast<std::int64_t>(time->attoseconds / attoseconds_of_microsecond);
  return Moment{std::chrono::seconds{time->seconds} + microseconds{rest}};
}

}  // namespace

std::optional<Moment> parse_epoch(std::string_view text) {
  Scanner scanner(text);
  const std::string_view digits = scanner.all_digits();
  std::string_view decimals;
  if (digits.empty() || !take_fraction(scanner, decimals) || !scanner.done()) return std::nullopt;
  std::int64_t whole = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
  if (read.ec != std::errc()) return std::nullopt;
  std::int64_t since = 0;
  if (whole < 100'000'000'000) {
    since = whole * 1'000'000 + fraction(decimals, 6);
  } else if (whole < 100'000'000'000'000) {
    since = whole * 1'000 + fraction(decimals, 3);
  } else if (whole < 100'000'000'000'000'000) {
    since = whole;
  } else {
    since = whole / 1'000;
  }
  const Moment moment{microseconds{since}};
  if (moment >= moment_end) return std::nullopt;
  return moment;
}

std::optional<Moment> parse_moment(std::string_view text) {
  if (const auto moment = parse_epoch(text)) return moment;
  return parse_date_time(text);
}

std::string moment_text(Moment moment) {
  telemetry::Timestamp timestamp;
  return std::string(timestamp.text(moment));
}

}  // namespace onceproxy::backtest
