#include "proxy/cli/backtest/moment.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::backtest {
namespace {

/// As moment_text() has it; empty for what is no time.
std::string read(std::string_view text) {
  const auto moment = parse_moment(text);
  return moment ? moment_text(*moment) : "";
}

TEST_CASE("RFC 3339 is read, with any offset and fraction") {
  CHECK(read("2026-01-02T03:04:05Z") == "2026-01-02T03:04:05.000Z");
  CHECK(read("2026-01-02T03:04:05.678901Z") == "2026-01-02T03:04:05.678Z");
  CHECK(read("2026-01-02t03:04:05.6z") == "2026-01-02T03:04:05.600Z");
  CHECK(read("2026-01-02 03:04:05+01:30") == "2026-01-02T01:34:05.000Z");
  CHECK(read("2026-01-01T23:00:00-05:00") == "2026-01-02T04:00:00.000Z");
  CHECK(read("2026-01-02T03:04:05+0130") == "2026-01-02T01:34:05.000Z");
  CHECK(read("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00.000Z");
  CHECK(read("2024-02-29T00:00:00Z") == "2024-02-29T00:00:00.000Z");
}

TEST_CASE("seconds, milliseconds, microseconds and nanoseconds are told apart by size") {
  CHECK(read("1767323045") == "2026-01-02T03:04:05.000Z");
  CHECK(read("1767323045.678") == "2026-01-02T03:04:05.678Z");
  CHECK(read("1767323045678") == "2026-01-02T03:04:05.678Z");
  CHECK(read("1767323045678.9") == "2026-01-02T03:04:05.678Z");
  CHECK(read("1767323045678901") == "2026-01-02T03:04:05.678Z");
  CHECK(read("1767323045678901234") == "2026-01-02T03:04:05.678Z");
  CHECK(read("0") == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("a fraction keeps its microseconds") {
  const auto moment = parse_moment("1767323045.000001");
  REQUIRE(moment);
  CHECK(moment->time_since_epoch().count() == 1767323045000001);
  CHECK(parse_moment("2026-01-02T03:04:05.0000019Z") == moment);
}

TEST_CASE("text that is not a time is refused") {
  for (const auto* text : {"",
                           " ",
                           "yesterday",
                           "2026-01-02",
                           "2026-01-02T03:04:05",
                           "2026-13-02T03:04:05Z",
                           "2026-02-29T03:04:05Z",
                           "2026-01-02T24:04:05Z",
                           "2026-01-02T03:60:05Z",
                           "2026-01-02T03:04:61Z",
                           "2026-01-02T03:04:05.Z",
                           "2026-01-02T03:04:05Zx",
                           "2026-01-02T03:04:05+1",
                           "2026-01-02T03:04:05+25:00",
                           "1969-12-31T23:59:59Z",
                           "2200-01-01T00:00:00Z",
                           "-1",
                           "1.",
                           "1e9",
                           "0x10",
                           "99999999999999999999",
                           "9223372036854775807"}) {
    INFO(text);
    CHECK_FALSE(parse_moment(text));
  }
}

}  // namespace
}  // namespace onceproxy::backtest
