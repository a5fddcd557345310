#include "policies/timestamp.hpp"

#include <chrono>

namespace onceproxy::policies {
namespace {

/// Takes what it reads off the beginning of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  /// One of `characters`; 0 where the text goes on with none of them.
  char any_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return 0;
    const char found = rest_.front();
    rest_.remove_prefix(1);
    return found;
  }

  /// Exactly `count` digits, and then `end` where that is not 0; -1 where they are not there.
  int digits(std::size_t count, char end = 0) {
    if (rest_.size() < count + (end == 0 ? 0 : 1)) return -1;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return -1;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    if (end != 0 && any_of({&end, 1}) == 0) return -1;
    return value;
  }

  std::string_view all_digits() {
    std::size_t size = 0;
    while (size < rest_.size() && is_digit(rest_[size])) ++size;
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view rest_;
};

/// A dot and digits, or nothing. Nothing at all where a dot has no digits, or too many that count.
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

/// `Z`, `+01:00`, `-0530`. Nothing where it is none of them.
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
