#include "proxy/http/http_date.hpp"

#include <catch2/catch.hpp>
#include <ctime>
#include <string>

namespace onceproxy::http {
namespace {

TEST_CASE("The date is the present one, as RFC 9110 5.6.7 writes it") {
  const std::time_t before = std::time(nullptr);
  const HttpDate date;
  const std::time_t after = std::time(nullptr);
  const std::string text(date.text());
  CAPTURE(text);
  REQUIRE(text.size() == 29);
  std::tm parsed{};
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parsed);
  REQUIRE(end == text.c_str() + text.size());
  const std::time_t time = ::timegm(&parsed);
  CHECK(time >= before);
  CHECK(time <= after);
}

}  // namespace
}  // namespace onceproxy::http
