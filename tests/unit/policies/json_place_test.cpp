#include "policies/json_place.hpp"

#include <catch2/catch.hpp>

#include "policies/pointer.hpp"

using namespace onceproxy::policies;

namespace {

/// The text that the pointer names; "none" where it names nothing.
std::string at(std::string_view document, std::string_view pointer) {
  const auto place = find_place(document, parse_pointer(pointer).value());
  if (!place) return "none";
  REQUIRE(place->begin < place->end);
  REQUIRE(place->end <= document.size());
  return std::string(document.substr(place->begin, place->end - place->begin));
}

}  // namespace

TEST_CASE("a value's place is exactly its bytes") {
  constexpr std::string_view document =
      "\xEF\xBB\xBF { \"a\" : {\"b]\":[1 , {\"c\":\"x,\\\"}\"}, [] ,true],\"\":-1.5e3 } ,\n"
      "\"i\\u0064\" : \"7\", \"s/\": null\t, \"~\":{ } }";
  CHECK(at(document, "/a/b]/0") == "1");
  CHECK(at(document, "/a/b]/1") == R"({"c":"x,\"}"})");
  CHECK(at(document, "/a/b]/1/c") == R"("x,\"}")");
  CHECK(at(document, "/a/b]/2") == "[]");
  CHECK(at(document, "/a/b]/3") == "true");
  CHECK(at(document, "/a/") == "-1.5e3");
  CHECK(at(document, "/id") == "\"7\"");
  CHECK(at(document, "/s~1") == "null");
  CHECK(at(document, "/~0") == "{ }");
  CHECK(at("12", "") == "12");
  CHECK(at("[0]", "/0") == "0");
  CHECK(at("{\"id\":1}", "/id") == "1");
}

TEST_CASE("a value that is absent has no place") {
  constexpr std::string_view document = R"({"a":[1,2],"b":{"c":3},"d":4})";
  for (const char* pointer : {"/x", "/a/2", "/a/-", "/a/00", "/a/+1", "/a/1/2", "/a/x", "/b/d",
                              "/d/0", "/b/c/0", "/A", "/"}) {
    CAPTURE(pointer);
    CHECK(at(document, pointer) == "none");
  }
  CHECK(at("[]", "/0") == "none");
  CHECK(at("{}", "/a") == "none");
}

TEST_CASE("only a whole document of JSON has places") {
  for (const char* text : {"", "{\"id\":1", "{\"id\":1}}", "{\"id\":1,\"id\":2}", "id=1",
                           "{\"id\":NaN}", "{'id':1}"}) {
    CAPTURE(text);
    CHECK(at(text, "/id") == "none");
  }
}
