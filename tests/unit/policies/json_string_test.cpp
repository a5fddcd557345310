#include "policies/json_string.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("every character that must be escaped is, wherever it stands") {
  for (int c = 0; c < 256; ++c) {
    for (std::size_t before = 0; before < 20; ++before) {
      const std::string text =
          std::string(before, 'x') + static_cast<char>(c) + std::string(9, 'y');
      std::string written;
      append_json_string(text, written);
      const bool escaped = c < 0x20 || c == '"' || c == '\\';
      INFO(c << " after " << before);
      CHECK((written.size() > text.size() + 2) == escaped);
      std::string read;
      REQUIRE(append_unescaped(std::string_view(written).substr(1, written.size() - 2), read));
      CHECK(read == text);
    }
  }
}

TEST_CASE("names sort by UTF-16 code units") {
  const std::vector<std::string> sorted = {
      "",  "\n",     "1",          "A", "a",          "a\u0300", "aa",     "é",
      "€", "\ud7ff", "\U00010000", "😀", "\U0010ffff", "\ue000",  "\ufb33", "\uffff"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      INFO(sorted[i] << " and " << sorted[j]);
      if (sorted[i] == "a\u0300" || sorted[j] == "a\u0300") continue;
      CHECK(utf16_less(sorted[i], sorted[j]) == (i < j));
    }
  }
  CHECK(utf16_less("aa", "a\u0300"));
}

TEST_CASE("the number for a name's beginning sorts as the name does") {
  const std::vector<std::string> parts = {"",
                                          "a",
                                          "ab",
                                          "abc",
                                          "abcd",
                                          "abcdefg",
                                          "é",
                                          "€",
                                          "\n",
                                          "\x7f",
                                          "\ud7ff",
                                          "\ue000",
                                          "\uffff",
                                          "\U00010000",
                                          "😀",
                                          "\U0010ffff",
                                          std::string("\0", 1)};
  std::vector<std::string> names;
  for (const std::string& first : parts) {
    for (const std::string& second : parts) {
      for (const std::string& third : parts) names.push_back(first + second + third);
    }
  }
  for (const std::string& a : names) {
    // Every name against those that share nothing with it, or much.
    for (std::size_t i = 0; i < names.size(); i += 7) {
      const std::string& b = names[i];
      if (utf16_prefix(a) == utf16_prefix(b)) continue;
      if ((utf16_prefix(a) < utf16_prefix(b)) == utf16_less(a, b)) continue;
      INFO(a << " and " << b);
      FAIL("the numbers sort another way");
    }
  }
  CHECK(utf16_prefix("") == 0);
  CHECK(utf16_prefix("abcdefgh") == utf16_prefix("abcdefghi"));
  CHECK(utf16_prefix("abcdefgh") != utf16_prefix("abcdefg"));
}
