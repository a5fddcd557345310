#include "policies/number.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

namespace {

std::string canonical(std::string_view text) {
  std::string out;
  append_canonical_number(text, out);
  return out;
}

std::string rounded(std::string_view text, int places) {
  auto number = parse_decimal(text).value();
  round_decimal(number, places);
  std::string out;
  append_decimal(number, out);
  return out;
}

}  // namespace

TEST_CASE("numbers of one value have one canonical form, in the notation of ECMAScript") {
  const std::pair<std::string, std::string> cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"0.0", "0"},
      {"-0.000e5", "0"},
      {"0e999999999999999", "0"},
      {"1", "1"},
      {"1.0", "1"},
      {"1.00e0", "1"},
      {"10e-1", "1"},
      {"7e0", "7"},
      {"7.5E-00", "7.5"},
      {"0.1e1", "1"},
      {"0.0001e+4", "1"},
      {"100", "100"},
      {"1e2", "100"},
      {"1E+02", "100"},
      {"-12.50", "-12.5"},
      {"-1250e-2", "-12.5"},
      {"0.05", "0.05"},
      {"0.000001", "0.000001"},
      {"0.0000001", "1e-7"},
      {"1e-7", "1e-7"},
      {"0.00000012", "1.2e-7"},
      {"1e20", "100000000000000000000"},
      {"1e21", "1e+21"},
      {"1000000000000000000000", "1e+21"},
      {"100000000000000000000", "100000000000000000000"},
      {"123456789012345678901.5", "123456789012345678901.5"},
      {"1234567890123456789012.5", "1.2345678901234567890125e+21"},
      {"9007199254740992", "9007199254740992"},
      {"9007199254740993", "9007199254740993"},
      {"9007199254740993.0", "9007199254740993"},
      {"1e400", "1e+400"},
      {"10e399", "1e+400"},
      {"-1e-400", "-1e-400"},
      {"1e999999999999999", "1e+999999999999999"},
      {"1e-999999999999999", "1e-999999999999999"},
      {"1e0000000000000000000000000000002", "100"},
      {"0.1", "0.1"},
      {"0.10", "0.1"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
  };
  for (const auto& [written, expected] : cases) {
    INFO(written);
    REQUIRE(is_decimal(written));
    CHECK(canonical(written) == expected);
    std::string from_value;
    append_decimal(parse_decimal(written).value(), from_value);
    CHECK(from_value == expected);
    if (is_decimal(expected)) CHECK(canonical(expected) == expected);
  }
}

TEST_CASE("numbers that a double cannot tell apart stay two") {
  CHECK(parse_decimal("9007199254740993") != parse_decimal("9007199254740992"));
  CHECK(parse_decimal("0.1") != parse_decimal("0.1000000000000000055511151231257827"));
  CHECK(parse_decimal("1e400") != parse_decimal("1e401"));
}

TEST_CASE("numbers that RFC 8259 does not allow are refused") {
  for (const char* text : {"",
                           "-",
                           "+1",
                           "01",
                           "-01",
                           "00",
                           "1.",
                           ".5",
                           "1.e2",
                           "1e",
                           "1e+",
                           "1e-",
                           "0x10",
                           "1_000",
                           "1,5",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "1 ",
                           " 1",
                           "1e1.5",
                           "--1",
                           "1e+-2",
                           "1f",
                           "\xD9\xA1",
                           "1e1000000000000000",
                           "1e99999999999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(is_decimal(text));
    CHECK_FALSE(parse_decimal(text));
  }
}

TEST_CASE("rounding is exact and takes halves away from zero") {
  struct Case {
    std::string written;
    int places;
    std::string expected;
  };
  const Case cases[] = {
      {"1.2345674", 6, "1.234567"},
      {"1.2345675", 6, "1.234568"},
      {"-1.2345675", 6, "-1.234568"},
      {"1.23456749999999999999999999", 6, "1.234567"},
      {"0.5", 0, "1"},
      {"-0.5", 0, "-1"},
      {"0.4999", 0, "0"},
      {"-0.4999", 0, "0"},
      {"1.5", 0, "2"},
      {"2.5", 0, "3"},
      {"2.675", 2, "2.68"},
      {"1.005", 2, "1.01"},
      {"9.99", 1, "10"},
      {"99.95", 1, "100"},
      {"0.999", 2, "1"},
      {"0.05", 1, "0.1"},
      {"0.04", 1, "0"},
      {"0.004", 1, "0"},
      {"0.95", 1, "1"},
      {"10.10", 1, "10.1"},
      {"10.04", 1, "10"},
      {"100.04", 1, "100"},
      {"123", 6, "123"},
      {"1e30", 6, "1e+30"},
      {"1e-999999999999999", 18, "0"},
      {"1e999999999999999", 18, "1e+999999999999999"},
      {"0", 3, "0"},
      {"5e-19", 18, "1e-18"},
      {"4.9e-19", 18, "0"},
  };
  for (const Case& c : cases) {
    INFO(c.written << " to " << c.places);
    CHECK(rounded(c.written, c.places) == c.expected);
  }
}
