#include "policies/timestamp.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("a time is read to its last digit, with any offset") {
  constexpr std::int64_t second = 1'767'323'045;  // 2026-01-02T03:04:05Z
  const auto at = [](std::int64_t seconds, std::uint64_t attoseconds) {
    return Timestamp{seconds, attoseconds};
  };
  CHECK(parse_timestamp("2026-01-02T03:04:05Z") == at(second, 0));
  CHECK(parse_timestamp("2026-01-02t03:04:05z") == at(second, 0));
  CHECK(parse_timestamp("2026-01-02 04:04:05+01:00") == at(second, 0));
  CHECK(parse_timestamp("2026-01-01T22:34:05-0430") == at(second, 0));
  CHECK(parse_timestamp("2026-01-02T03:04:05.100Z") == at(second, 100'000'000'000'000'000));
  CHECK(parse_timestamp("2026-01-02T03:04:05.000000000000000001Z") == at(second, 1));
  CHECK(parse_timestamp("2026-01-02T03:04:05.10000000000000000000Z") ==
        at(second, 100'000'000'000'000'000));
  CHECK(parse_timestamp("1969-12-31T23:59:59.5Z") == at(-1, 500'000'000'000'000'000));
  CHECK(parse_timestamp("2016-12-31T23:59:60Z") == at(1'483'228'800, 0));
  CHECK(parse_timestamp("0000-01-01T00:00:00Z") == at(-62'167'219'200, 0));
  CHECK(parse_timestamp("9999-12-31T23:59:59Z") == at(253'402'300'799, 0));
}

TEST_CASE("text that is not a time, or has no offset, is refused") {
  for (const char* text :
       {"", "1767323045", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.0000000000000000001Z", "2026-13-02T03:04:05Z", "2026-02-29T03:04:05Z",
        "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05+1", "2026-01-02T03:04:05+25:00", "2026-01-02T03:04:05Z ",
        "02 Jan 2026 03:04:05 GMT", "2026-1-2T03:04:05Z", "2026-01-02T3:04:05Z"}) {
    INFO(text);
    CHECK_FALSE(parse_timestamp(text));
  }
}
