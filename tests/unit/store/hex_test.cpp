#include "store/hex.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace onceproxy::store;

TEST_CASE("bytes become two lower-case digits each") {
  CHECK(hex("") == "");
  CHECK(hex(std::string_view("\x00\x09\x7f\xab\xff", 5)) == "00097fabff");
  std::string out = "0x";
  append_hex(out, "\xe2\x80");
  CHECK(out == "0xe280");
}

TEST_CASE("numbers become all their digits, the highest first") {
  std::array<char, 16> digits;
  CHECK(write_hex(std::uint64_t{0x0123456789abcdef}, digits.data()) == digits.data() + 16);
  CHECK(std::string_view(digits.data(), 16) == "0123456789abcdef");
  CHECK(write_hex(std::uint16_t{0x1f}, digits.data()) == digits.data() + 4);
  CHECK(std::string_view(digits.data(), 4) == "001f");
  CHECK(write_upper_hex('\xfa', digits.data()) == digits.data() + 2);
  CHECK(std::string_view(digits.data(), 2) == "FA");
}

TEST_CASE("digits of either case are read back, and nothing else") {
  std::array<std::uint8_t, 3> bytes{};
  REQUIRE(read_hex("00aBfF", bytes));
  CHECK(bytes == std::array<std::uint8_t, 3>{0x00, 0xab, 0xff});
  for (const char* text : {"", "00abf", "00abff0", "00abfg", "00ab f", "0x00ab"}) {
    CHECK_FALSE(read_hex(text, bytes));
  }
}

TEST_CASE("a digit has its value") {
  for (int value = 0; value < 16; ++value) {
    CHECK(hex_value("0123456789abcdef"[value]) == value);
    CHECK(hex_value("0123456789ABCDEF"[value]) == value);
  }
  for (const char c : {'/', ':', '@', 'G', '`', 'g', '\0', '\xff'}) CHECK(hex_value(c) == -1);
}
