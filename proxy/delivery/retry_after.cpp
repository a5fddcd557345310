#include "proxy/delivery/retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace onceproxy::delivery {

namespace {

using std::chrono::seconds;

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

seconds bounded(seconds asked) {
  return std::clamp(asked, seconds(0), seconds(retry_after_max));
}

/// Reads a date in any of the three formats, as seconds since 1970.
std::optional<seconds> read_date(const std::string& text) {
  // The program does not set a locale, so the names are the English ones of the RFC.
  for (const char* const format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm read{};
    const char* const end = ::strptime(text.c_str(), format, &read);
    if (end == nullptr || *end != '\0') continue;
    return seconds(::timegm(&read));
  }
  return std::nullopt;
}

}  // namespace

std::optional<seconds> retry_after(std::string_view value, seconds now) {
  if (is_number(value)) {
    std::int64_t count = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), count);
    // There are more digits than an integer can hold, so the longest delay is used.
    return read.ec == std::errc() ? bounded(seconds(count)) : seconds(retry_after_max);
  }
  const std::optional<seconds> date = read_date(std::string(value));
  if (!date) return std::nullopt;
  return bounded(*date - now);
}

}  // namespace onceproxy::delivery
