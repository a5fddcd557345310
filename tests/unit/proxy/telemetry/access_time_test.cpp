#include "proxy/telemetry/access_time.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point noon{1'767'355'384s + 56'789'123ns};

std::string written(std::string_view format) {
  const auto time = AccessTime::parse(format);
  REQUIRE(time);
  std::string out;
  time->append(out, noon);
  return out;
}

std::string wrong(std::string_view format) {
  const auto time = AccessTime::parse(format);
  return time ? "" : time.error();
}

TEST_CASE("A time without a format is written as Envoy writes it") {
  CHECK(written("") == "2026-01-02T12:03:04.056Z");
}

TEST_CASE("Conversions of time are those of strftime, in UTC and in no locale's words") {
  CHECK(written("%Y/%m/%dT%H:%M:%S%z %s") == "2026/01/02T12:03:04+0000 1767355384");
  CHECK(written("%F %T %Z %e %j %y %I%p") == "2026-01-02 12:03:04 UTC  2 002 26 12PM");
}

TEST_CASE("A fraction of a second has as many digits as it says, and nine otherwise") {
  CHECK(written("%1f %3f %6f %9f %f") == "0 056 056789 056789123 056789123");
}

TEST_CASE("What is no conversion is kept, and an unknown one is refused") {
  CHECK(written("at 100%% of %S") == "at 100% of 04");
  CHECK(wrong("%Q").starts_with("unknown conversion %Q of time; known are %Y"));
  CHECK(wrong("%a").starts_with("unknown conversion %a"));
  CHECK(wrong("%0f").starts_with("unknown conversion %0"));
  CHECK(wrong("%Y%") == "a lone % at the end");
  CHECK(wrong("%Y\n") == "a control character in a format of time");
}

TEST_CASE("A time before 1970 is written, too") {
  const auto time = AccessTime::parse("%Y %3f");
  std::string out;
  time->append(out, std::chrono::system_clock::time_point(-1ms));
  CHECK(out == "1969 999");
}

}  // namespace
}  // namespace onceproxy::telemetry
