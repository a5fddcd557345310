#include "proxy/cli/backtest/base64.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::backtest {
namespace {

TEST_CASE("RFC 4648's own vectors decode, padded or not") {
  CHECK(decode_base64("") == "");
  CHECK(decode_base64("Zg==") == "f");
  CHECK(decode_base64("Zg") == "f");
  CHECK(decode_base64("Zm8=") == "fo");
  CHECK(decode_base64("Zm9v") == "foo");
  CHECK(decode_base64("Zm9vYg==") == "foob");
  CHECK(decode_base64("Zm9vYmFy") == "foobar");
}

TEST_CASE("both alphabets decode to the same bytes") {
  CHECK(decode_base64("+/+/") == decode_base64("-_-_"));
  CHECK(decode_base64("AP8=") == std::string("\x00\xff", 2));
}

TEST_CASE("text that is not base64 is not decoded") {
  for (const auto* text : {"Z", "Zm9vY", "Zm9v!", "Z===", "=", "Zm 9v", "Zg=a", "Zm=v"}) {
    INFO(text);
    CHECK_FALSE(decode_base64(text));
  }
}

}  // namespace
}  // namespace onceproxy::backtest
