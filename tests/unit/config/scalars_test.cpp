#include "config/scalars.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Durations are whole numbers with a unit") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("30s") == 30s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("24h") == 24h);
  CHECK(parse_duration("7d") == 168h);
  for (const char* text : {"", "1.5s", "-1s", "0x1s", "1us", "+1s", "never", "PT", "1M2Y"}) {
    CAPTURE(text);
    CHECK(parse_duration(text).error() ==
          "expected a duration such as 500ms, 30s, 5m, 24h or 7d, found \"" + std::string(text) +
              "\"");
  }
  CHECK(parse_duration("30").error() ==
        "expected a duration such as 500ms, 30s, 5m, 24h or 7d, found \"30\"; a duration needs a "
        "unit");
}

TEST_CASE("A duration in another notation is told in this one") {
  const auto meant = [](std::string_view text) {
    const std::string message = parse_duration(text).error();
    const std::size_t at = message.find("; did you mean ");
    return at == std::string::npos ? "" : message.substr(at + 15);
  };
  CHECK(meant("hour") == "1h?");
  CHECK(meant("s") == "1s?");
  CHECK(meant("1 s") == "1s?");
  CHECK(meant("30 Seconds") == "30s?");
  CHECK(meant("1h30m") == "90m?");
  CHECK(meant("PT1H30M") == "90m?");
  CHECK(meant("2 weeks") == "14d?");
  CHECK(meant("1day") == "24h?");
  CHECK(meant("99999999999999999999 hours").empty());
}

TEST_CASE("A duration out of bounds says which, and none overflows") {
  CHECK(policy_problems("window: 0s") == Texts{"window: must be from 10ms to 366d, found \"0s\""});
  CHECK(policy_problems("lease: 25h") == Texts{"lease: must be from 10ms to 24h, found \"25h\""});
  CHECK(policy_problems("lease: 99999999999999999999d") ==
        Texts{"lease: must be from 10ms to 24h, found \"99999999999999999999d\""});
  CHECK(policy_problems("lease: 106751991168d").size() == 1);
  CHECK(policy_problems("lease: [1s]") ==
        Texts{"lease: expected a duration such as 500ms, 30s, 5m, 24h or 7d, found a list"});
}

TEST_CASE("Sizes are bytes or binary units") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("1500") == 1500);
  CHECK(parse_size("64KiB") == 65'536);
  CHECK(parse_size("1MiB") == 1'048'576);
  CHECK(parse_size("4GiB") == std::uint64_t{4} << 30);
  for (const char* text : {"", "1.5MiB", "-1", "1EiB", "1MiBs", "1 000"}) {
    CAPTURE(text);
    CHECK(parse_size(text).error() ==
          "expected a size in bytes, or such as 64KiB, 1MiB or 4GiB, found \"" + std::string(text) +
              "\"");
  }
}

TEST_CASE("A size in another notation is told in this one") {
  const auto meant = [](std::string_view text) {
    const std::string message = parse_size(text).error();
    const std::size_t at = message.find("; did you mean ");
    return at == std::string::npos ? "" : message.substr(at + 15);
  };
  CHECK(meant("10MB") == "10MiB?");
  CHECK(meant("1 MiB") == "1MiB?");
  CHECK(meant("512k") == "512KiB?");
  CHECK(meant("4Gi") == "4GiB?");
  CHECK(meant("100 bytes") == "100?");
  CHECK(meant("MB") == "1MiB?");
}

TEST_CASE("A size out of bounds says which, and none overflows") {
  CHECK(problems("limits: {head_bytes: 255}") ==
        Texts{"limits.head_bytes: must be from 256 to 16MiB, found \"255\""});
  CHECK(problems("limits: {head_bytes: 99999999999TiB}") ==
        Texts{"limits.head_bytes: must be from 256 to 16MiB, found \"99999999999TiB\""});
  CHECK(problems("limits: {head_bytes: 18446744073709551616}").size() == 1);
}

TEST_CASE("A quoted number is text and no number") {
  CHECK(problems("workers: \"5\"") ==
        Texts{"workers: expected a whole number without quotes, found \"5\""});
  CHECK(problems("limits: {head_bytes: '4096'}") ==
        Texts{"limits.head_bytes: expected a size without quotes, found \"4096\""});
  CHECK(loaded("limits: {head_bytes: '4KiB'}").limits.head_bytes == 4096);
}

TEST_CASE("Whole numbers are decimal, bounded and nothing else") {
  CHECK(problems("workers: 1025") == Texts{"workers: must be from 0 to 1024, found \"1025\""});
  CHECK(problems("workers: -1") == Texts{"workers: must be from 0 to 1024, found \"-1\""});
  CHECK(problems("workers: 99999999999999999999") ==
        Texts{"workers: must be from 0 to 1024, found \"99999999999999999999\""});
  for (const char* text : {"1.0", "0x10", "1e3", "1_000", "five", "+5"}) {
    CHECK(problems(std::string("workers: ") + text) ==
          Texts{"workers: expected a whole number, found \"" + std::string(text) + "\""});
  }
}

TEST_CASE("Flags are true or false, without quotes and without yes and on") {
  CHECK(loaded_policy("fingerprint: [{body: /a, lower: true}]").fingerprint[0].lower);
  CHECK(!loaded_policy("fingerprint: [{body: /a, lower: false}]").fingerprint[0].lower);
  for (const char* text : {"yes", "on", "\"true\"", "1", "True"}) {
    CAPTURE(text);
    CHECK(policy_problems(std::string("fingerprint: [{body: /a, lower: ") + text + "}]").size() ==
          1);
  }
}

TEST_CASE("A misspelt word says what was meant") {
  CHECK(problems("log: {level: inof}") ==
        Texts{"log.level: expected trace, debug, info, warn or error, found \"inof\"; did you mean "
              "\"info\"?"});
  CHECK(problems("log: {level: nothing-like-it}") ==
        Texts{"log.level: expected trace, debug, info, warn or error, found \"nothing-like-it\""});
}

TEST_CASE("Durations and sizes are written as the configuration writes them") {
  CHECK(duration_text(0ms) == "0ms");
  CHECK(duration_text(1500ms) == "1500ms");
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(24h) == "24h");
  CHECK(duration_text(48h) == "2d");
  CHECK(size_text(0) == "0");
  CHECK(size_text(1000) == "1000");
  CHECK(size_text(65'536) == "64KiB");
}

}  // namespace
}  // namespace onceproxy::config
