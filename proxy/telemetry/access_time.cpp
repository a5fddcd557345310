#include "proxy/telemetry/access_time.hpp"

#include <array>
#include <cstdint>
#include <ctime>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

constexpr std::string_view default_format = "%Y-%m-%dT%H:%M:%S.%3fZ";
/// What strftime writes alike in every locale. %s and %f are not strftime's here.
constexpr std::string_view conversions = "YmdHMSyjFTzZeIp";
constexpr std::string_view common_digits = "123456789";
constexpr int fraction_digits_default = 9;

void append_fraction(std::string& out, std::int64_t nanoseconds, int digits) {
  std::array<char, 9> text;
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit) {
    *digit = static_cast<char>('0' + nanoseconds % 10);
    nanoseconds /= 10;
  }
  out.append(text.data(), static_cast<std::size_t>(digits));
}

void append_conversion(std::string& out, char conversion, const std::tm& utc) {
  // These two are the system's time zone's in strftime.
  if (conversion == 'z') {
    out += "+0000";
    return;
  }
  if (conversion == 'Z') {
    out += "UTC";
    return;
  }
  const std::array<char, 3> format{'%', conversion, '\0'};
  std::array<char, 64> text;
  out.append(text.data(), std::strftime(text.data(), text.size(), format.data(), &utc));
}

}  // namespace

void AccessTime::add_literal(char c) {
  if (parts_.empty() || parts_.back().conversion != 0) parts_.push_back({});
  parts_.back().literal += c;
}

tl::expected<AccessTime, std::string> AccessTime::parse(std::string_view format) {
  if (format.empty()) format = default_format;
  AccessTime time;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (static_cast<unsigned char>(format[i]) < 0x20 || format[i] == 0x7f) {
      return tl::unexpected(std::string("a control character in a format of time"));
    }
    if (format[i] != '%') {
      time.add_literal(format[i]);
      continue;
    }
    ++i;
    int digits = fraction_digits_default;
    const bool counted = i + 1 < format.size() && format[i + 1] == 'f' &&
                         common_digits.find(format[i]) != std::string_view::npos;
    if (counted) digits = format[i++] - '0';
    if (i >= format.size()) return tl::unexpected(std::string("a lone % at the end"));
    const char conversion = format[i];
    if (conversion == '%') {
      time.add_literal('%');
    } else if (conversion == 'f') {
      time.parts_.push_back({'f', digits});
    } else if (conversion == 's' || conversions.find(conversion) != std::string_view::npos) {
      time.parts_.push_back({conversion});
    } else {
      return tl::unexpected("unknown conversion %" + std::string(1, conversion) +
                            " of time; known are %Y %m %d %H %M %S %y %j %e %I %p %F %T %z %Z, %s "
                            "for seconds since 1970, and %3f for a fraction with so many digits");
    }
  }
  return time;
}

void AccessTime::append(std::string& out, std::chrono::system_clock::time_point time) const {
  using std::chrono::seconds;
  const auto since = time.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since);
  const std::time_t second = static_cast<std::time_t>(whole.count());
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - whole);
  std::tm utc{};
  ::gmtime_r(&second, &utc);
  for (const Part& part : parts_) {
    switch (part.conversion) {
      case 0:
        out += part.literal;
        break;
      case 'f':
        append_fraction(out, rest.count(), part.digits);
        break;
      case 's':
        append_number(out, second);
        break;
      default:
        append_conversion(out, part.conversion, utc);
    }
  }
}

}  // namespace onceproxy::telemetry
