#include "proxy/telemetry/json_text.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string value(std::string_view text) {
  std::string out;
  append_text_value(out, text);
  return out;
}

TEST_CASE("plain text and valid UTF-8 stand for themselves") {
  CHECK(json("") == R"("")");
  CHECK(json("/v1/rides?x") == R"("/v1/rides?x")");
  CHECK(json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x95") ==
        "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x95\"");
}

TEST_CASE("quotes, backslashes and control characters are escaped") {
  CHECK(json("a\"b\\c") == R"("a\"b\\c")");
  CHECK(json("\n\r\t") == R"("\n\r\t")");
  CHECK(json(std::string_view("\0\x1b[2J\x7f", 6)) == R"("\u0000\u001b[2J\u007f")");
}

TEST_CASE("a byte is escaped or not wherever it stands in a long text") {
  for (int byte = 0; byte < 0x80; ++byte) {
    const auto c = static_cast<char>(byte);
    const std::string alone = json(std::string_view(&c, 1));
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text(20, 'x');
      text[at] = c;
      const std::string expected = "\"" + std::string(at, 'x') + alone.substr(1, alone.size() - 2) +
                                   std::string(19 - at, 'x') + "\"";
      CAPTURE(byte, at);
      REQUIRE(json(text) == expected);
    }
  }
}

TEST_CASE("characters that some readers treat as line ends are escaped") {
  CHECK(json("a\xc2\x85z") == R"("a\u0085z")");
  CHECK(json("a\xe2\x80\xa8z\xe2\x80\xa9") == R"("a\u2028z\u2029")");
}

TEST_CASE("bytes that are no UTF-8 are replaced") {
  const std::string replacement = "\xef\xbf\xbd";
  CHECK(json("a\xffz") == "\"a" + replacement + "z\"");
  // Overlong, surrogate, beyond U+10FFFF, cut off, and a continuation alone.
  CHECK(json("\xc0\xaf") == "\"" + replacement + replacement + "\"");
  CHECK(json("\xe0\x80\xaf") == "\"" + replacement + replacement + replacement + "\"");
  CHECK(json("\xed\xa0\x80") == "\"" + replacement + replacement + replacement + "\"");
  CHECK(json("\xf4\x90\x80\x80") ==
        "\"" + replacement + replacement + replacement + replacement + "\"");
  CHECK(json("\xe2\x82") == "\"" + replacement + replacement + "\"");
  CHECK(json("\x80") == "\"" + replacement + "\"");
  // A lead byte swallows no character behind it.
  CHECK(json("\xc3\"") == "\"" + replacement + "\\\"\"");
}

TEST_CASE("a text value is bare only where it cannot be mistaken") {
  CHECK(value("10.0.0.1:80") == "10.0.0.1:80");
  CHECK(value("") == R"("")");
  CHECK(value("a b") == R"("a b")");
  CHECK(value("a=b") == R"("a=b")");
  CHECK(value("a\"") == R"("a\"")");
  CHECK(value("a\nb") == R"("a\nb")");
  CHECK(value("\xff\xff\xff") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("durations are milliseconds with three decimals") {
  const auto text = [](std::chrono::nanoseconds duration) {
    std::string out;
    append_milliseconds(out, duration);
    return out;
  };
  CHECK(text(0ns) == "0.000");
  CHECK(text(1'234'567ns) == "1.234");
  CHECK(text(42us) == "0.042");
  CHECK(text(3'600s) == "3600000.000");
  CHECK(text(-5ms) == "0.000");
}

TEST_CASE("a timestamp is RFC 3339 in UTC to the millisecond, whatever came before") {
  using std::chrono::sys_days;
  Timestamp timestamp;
  const auto base = sys_days(std::chrono::year(2026) / 1 / 2) + 3h + 4min + 5s;
  CHECK(timestamp.text(base + 678ms + 999us) == "2026-01-02T03:04:05.678Z");
  CHECK(timestamp.text(base + 1ms) == "2026-01-02T03:04:05.001Z");
  CHECK(timestamp.text(base + 55s) == "2026-01-02T03:05:00.000Z");
  CHECK(timestamp.text(base - 24h) == "2026-01-01T03:04:05.000Z");
  CHECK(timestamp.text(sys_days(std::chrono::year(2028) / 2 / 29) + 24h - 1ms) ==
        "2028-02-29T23:59:59.999Z");
  CHECK(timestamp.text(std::chrono::system_clock::time_point{}) == "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace onceproxy::telemetry
