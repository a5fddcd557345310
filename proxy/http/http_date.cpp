#include "proxy/http/http_date.hpp"

#include <cstdio>
#include <ctime>

namespace onceproxy::http {

void HttpDate::update() {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  const int length = std::snprintf(
      text_.data(), text_.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday],
      utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  size_ = static_cast<std::size_t>(length);
}

}  // namespace onceproxy::http
