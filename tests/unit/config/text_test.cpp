#include "config/text.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::config {
namespace {

TEST_CASE("UTF-8 is what RFC 3629 says it is") {
  CHECK(utf8_length("a") == 1);
  CHECK(utf8_length("\xc3\xa9x") == 2);
  CHECK(utf8_length("\xe2\x82\xac") == 3);
  CHECK(utf8_length("\xf0\x9f\x98\x80") == 4);
  for (const char* bad : {"", "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    CHECK(utf8_length(bad) == 0);
  }
}

TEST_CASE("A column counts code points, and a tab is one") {
  CHECK(column_of("abc", 0) == 1);
  CHECK(column_of("abc", 2) == 3);
  CHECK(column_of("\xc3\xa9\xc3\xa9x", 4) == 3);
  CHECK(column_of("\tx", 1) == 2);
  CHECK(column_of("\xff\xffx", 2) == 3);
  CHECK(column_of("ab", 10) == 3);
}

TEST_CASE("A quoted value shows control characters and is cut") {
  CHECK(quote("a\"b") == "\"a\"b\"");
  CHECK(quote("a\nb\tc\x01\xff") == "\"a\\nb\\tc\\x01\\xff\"");
  CHECK(quote(std::string(70, 'a')) == "\"" + std::string(60, 'a') + "…\"");
}

TEST_CASE("Words are listed as a sentence lists them") {
  CHECK(one_of({}) == "");
  CHECK(one_of({"a"}) == "a");
  CHECK(one_of({"a", "b"}) == "a or b");
  CHECK(one_of({"a", "b", "c"}) == "a, b or c");
}

TEST_CASE("Swapped neighbours are one edit") {
  CHECK(edit_distance("lease", "lease") == 0);
  CHECK(edit_distance("laese", "lease") == 1);
  CHECK(edit_distance("leas", "lease") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("The nearest word is found, and nothing where none is near") {
  const std::vector<std::string> words{"lease", "window", "on_duplicate", "in"};
  CHECK(nearest("laese", words) == "lease");
  CHECK(nearest("on-duplicate", words) == "on_duplicate");
  CHECK(nearest("Window", words) == "window");
  CHECK(nearest("onduplicates", words) == "on_duplicate");
  CHECK(nearest("xyz", words) == "");
  CHECK(nearest("ab", words) == "");
  CHECK(nearest("", words) == "");
  CHECK(nearest(std::string(100, 'a'), words) == "");
}

}  // namespace
}  // namespace onceproxy::config
