#include "policies/path_template.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::path_match;

TEST_CASE("templates are read into segments") {
  const auto segments = parse_path_template("/v1/rides/{ride_id}/%7eme/**").value();
  REQUIRE(segments.size() == 5);
  CHECK((segments[0].kind == PathSegment::Kind::literal && segments[0].text == "v1"));
  CHECK((segments[2].kind == PathSegment::Kind::capture && segments[2].text == "ride_id"));
  CHECK((segments[3].kind == PathSegment::Kind::literal && segments[3].text == "~me"));
  CHECK(segments[4].kind == PathSegment::Kind::rest);
  CHECK(parse_path_template("/").value().size() == 1);
  CHECK(parse_path_template("/a/").value().size() == 2);
}

TEST_CASE("a template that could never match what its author meant is refused") {
  for (const char* text :
       {"",        "a",     "a/b",    "//",       "/a//b",  "/a/./b", "/a/../b", "/a/%2e",
        "/a/**/b", "/a/*",  "/a*",    "/a**",     "/{}",    "/{1a}",  "/{a-b}",  "/{a",
        "/a}",     "/x{a}", "/{a}x",  "/{a}/{a}", "/{{a}}", "/a%2Fb", "/a%5cb",  "/a%00",
        "/a%",     "/a%4",  "/a?b=c", "/a#b",     "/a b",   "/a\\b"}) {
    INFO(text);
    CHECK_FALSE(parse_path_template(text));
  }
}

TEST_CASE("captures are the segments as they stand in the normalised path") {
  const Match match = path_match("/v1/{a}/x/{b_2}/**");
  const std::string_view path = "/v1/one/x/t%20wo/rest/more";
  CHECK(captured(match, path, "a") == "one");
  CHECK(captured(match, path, "b_2") == "t%20wo");
  CHECK_FALSE(captured(match, path, "v1"));
  CHECK_FALSE(captured(match, path, "c"));
  CHECK_FALSE(captured(Match{}, path, "a"));
}

TEST_CASE("named groups of an expression are captures; one that took no part is none") {
  Match match;
  match.path_regex = test::regex("/(?P<kind>a|b)/(?:(?P<id>[0-9]+)|(?P<word>[a-z]*))");
  CHECK(captured(match, "/a/42", "kind") == "a");
  CHECK(captured(match, "/a/42", "id") == "42");
  CHECK_FALSE(captured(match, "/a/42", "word"));
  CHECK(captured(match, "/b/", "word") == "");
  CHECK_FALSE(captured(match, "/b/", "id"));
  CHECK_FALSE(captured(match, "/b/", "other"));
}
