#include "policies/timestamp.hpp"

#include <chrono>

#include "policies/scanner.hpp"

namespace onceproxy::policies {
namespace {

/// A dot and digits, or nothing. Nothing at all if a dot has no digits, or too many that count.
std::optional<std::uint64_t> take_fraction(Scanner& scanner) {
  constexpr std::size_t places = 18;
  if (scanner.any_of(".") == 0) return 0;
  const std::string_view digits = scanner.all_digits();
  if (digits.empty()) return std::nullopt;
  if (digits.size() > places && digits.find_first_not_of('0', places) != std::string_view::npos) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < places; ++i) {
    value = value * 10 + (i < digits.size() ? static_cast<std::uint64_t>(digits[i] - '0') : 0);
  }
  return value;
}

/// `Z`, `+01:00`, `-0530`. Nothing if it is none of them.
std::optional<std::chrono::minutes> take_offset(Scanner& scanner) {
  const char sign = scanner.any_of("Zz+-");
  if (sign == 0) return std::nullopt;
  if (sign == 'Z' || sign == 'z') return std::chrono::minutes{0};
  const int hours = scanner.digits(2);
  scanner.any_of(":");
  const int minutes = scanner.digits(2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::chrono::minutes offset{hours * 60 + minutes};
  return sign == '-' ? -offset : offset;
}

std::optional<std::chrono::sys_days> take_date(Scanner& scanner) {
  const int year = scanner.digits(4, '-');
  const int month = year < 0 ? -1 : scanner.digits(2, '-');
  const int day = month < 0 ? -1 : scanner.digits(2);
  if (day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date};
}

std::optional<std::chrono::seconds> take_time_of_day(Scanner& scanner) {
  const int hour = scanner.digits(2, ':');
  const int minute = hour < 0 ? -1 : scanner.digits(2, ':');
  const int second = minute < 0 ? -1 : scanner.digits(2);
  // A leap second is written as 60.
  if (hour > 23 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  return std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  Scanner scanner(text);
  const auto date = take_date(scanner);
  if (!date || scanner.any_of("Tt ") == 0) return std::nullopt;
  const auto time = take_time_of_day(scanner);
  if (!time) return std::nullopt;
  const auto fraction = take_fraction(scanner);
  if (!fraction) return std::nullopt;
  const auto offset = take_offset(scanner);
  if (!offset || !scanner.done()) return std::nullopt;
  const std::chrono::sys_seconds moment = std::chrono::sys_seconds{*date} + *time - *offset;
  return Timestamp{moment.time_since_epoch().count(), *fraction};
}

}  // namespace onceproxy::policies
