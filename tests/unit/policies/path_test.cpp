#include "policies/path.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("every spelling of a path has one normal form") {
  const std::pair<std::string, std::string> cases[] = {
      {"/", "/"},
      {"//", "/"},
      {"///a///b//", "/a/b/"},
      {"/a/b", "/a/b"},
      {"/a/b/", "/a/b/"},
      {"/.", "/"},
      {"/./", "/"},
      {"/..", "/"},
      {"/../", "/"},
      {"/../../a", "/a"},
      {"/a/.", "/a/"},
      {"/a/./b", "/a/b"},
      {"/a/..", "/"},
      {"/a/../", "/"},
      {"/a/b/..", "/a/"},
      {"/a/b/../c", "/a/c"},
      {"/a/b/../../c", "/c"},
      {"/a/b/../../../c", "/c"},
      {"/a//../b", "/b"},
      {"/a/.//b", "/a/b"},
      {"/a/..b", "/a/..b"},
      {"/a/.b", "/a/.b"},
      {"/a/b.", "/a/b."},
      {"/a/...", "/a/..."},
      {"/.well-known/x", "/.well-known/x"},
      {"/%61", "/a"},
      {"/%7E%2d%5F%2e%30", "/~-_.0"},
      {"/%2e", "/"},
      {"/a/%2e%2E/b", "/b"},
      {"/a/.%2e/b", "/b"},
      {"/a/%2e./b", "/b"},
      {"/a%20b", "/a%20b"},
      {"/a%c3%a9", "/a%C3%A9"},
      {"/a%3a%3B", "/a%3A%3B"},
      {"/%25%32%46", "/%252F"},
      {"/%252e%252e/b", "/%252e%252e/b"},
      {"/a;x=1,b/c:d@e", "/a;x=1,b/c:d@e"},
      {"/a%20", "/a%20"},
  };
  for (const auto& [path, expected] : cases) {
    INFO(path);
    std::string scratch;
    const auto normal = normalize_path(path, scratch);
    REQUIRE(normal);
    CHECK(*normal == expected);
    std::string again;
    CHECK(normalize_path(expected, again).value() == expected);
  }
}

TEST_CASE("a path in normal form is viewed, not copied") {
  const std::string path = "/v1/rides/42/dispatch";
  std::string scratch = "untouched";
  CHECK(normalize_path(path, scratch)->data() == path.data());
  CHECK(scratch == "untouched");
}

TEST_CASE("a path that is none is refused") {
  const std::pair<std::string, PathError> cases[] = {
      {"", PathError::not_absolute},        {"*", PathError::not_absolute},
      {"a/b", PathError::not_absolute},     {"%2Fa", PathError::not_absolute},
      {"/%", PathError::bad_encoding},      {"/%4", PathError::bad_encoding},
      {"/%4g", PathError::bad_encoding},    {"/%G4", PathError::bad_encoding},
      {"/a%", PathError::bad_encoding},     {"/%%41", PathError::bad_encoding},
      {"/a/%2/b", PathError::bad_encoding}, {"/%u0041", PathError::bad_encoding},
  };
  for (const auto& [path, error] : cases) {
    INFO(path);
    std::string scratch;
    const auto normal = normalize_path(path, scratch);
    REQUIRE_FALSE(normal);
    CHECK(normal.error() == error);
  }
}

TEST_CASE("encoded slashes, backslashes and NUL are refused unless they may pass") {
  for (const char* path : {"/a%2Fb", "/a%2fb", "/a%5Cb", "/a%5cb"}) {
    INFO(path);
    std::string scratch;
    CHECK(normalize_path(path, scratch).error() == PathError::encoded_delimiter);
    CHECK(normalize_path(path, scratch, true));
  }
  std::string scratch;
  CHECK(normalize_path("/a%2fb/%2e%2e/c%5c", scratch, true).value() == "/c%5C");
  CHECK(normalize_path("/a%00", scratch).error() == PathError::encoded_delimiter);
  CHECK(normalize_path("/a%00", scratch, true).error() == PathError::encoded_delimiter);
}
