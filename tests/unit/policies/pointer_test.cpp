#include "policies/pointer.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;
using Tokens = std::vector<std::string>;

TEST_CASE("pointers are read as RFC 6901 writes them") {
  const std::pair<std::string, Tokens> cases[] = {
      {"", {}},
      {"/", {""}},
      {"/a/b", {"a", "b"}},
      {"/a//b/", {"a", "", "b", ""}},
      {"/a~1b/m~0n/~01", {"a/b", "m~n", "~1"}},
      {"/ /\"/\\/%41", {" ", "\"", "\\", "%41"}},
      {"/*/0", {"*", "0"}},
  };
  for (const auto& [text, tokens] : cases) {
    INFO(text);
    CHECK(parse_pointer(text) == tokens);
  }
  for (const char* text : {"a", "a/b", "/~", "/~2", "/a~", "#/a", " /a"}) {
    INFO(text);
    CHECK_FALSE(parse_pointer(text));
  }
}

TEST_CASE("pointers name values as in the examples of RFC 6901") {
  const std::string text =
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})";
  const auto tree = JsonTree::parse(text);
  REQUIRE(tree);
  const std::pair<std::string, std::string> cases[] = {
      {"/foo/0", "bar"}, {"/foo/1", "baz"}, {"/", "0"},     {"/a~1b", "1"},
      {"/c%d", "2"},     {"/e^f", "3"},     {"/g|h", "4"},  {"/i\\j", "5"},
      {"/k\"l", "6"},    {"/ ", "7"},       {"/m~0n", "8"},
  };
  for (const auto& [pointer, value] : cases) {
    INFO(pointer);
    const auto found = resolve(*tree, 0, parse_pointer(pointer).value());
    REQUIRE(found);
    CHECK(tree->text(*found) == value);
  }
  CHECK(resolve(*tree, 0, {}) == 0);
  for (const char* pointer :
       {"/bar", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/1e0", "/foo/",
        "/foo/99999999999999999999", "/foo/0/x", "/a~1b/0", "/FOO"}) {
    INFO(pointer);
    CHECK_FALSE(resolve(*tree, 0, parse_pointer(pointer).value()));
  }
}
