#include "policies/except.hpp"

#include <catch2/catch.hpp>

#include "policies/pointer.hpp"

using namespace onceproxy::policies;

namespace {

std::string without(std::vector<const char*> pointers, std::string_view text) {
  std::vector<std::vector<std::string>> parsed;
  for (const char* pointer : pointers) parsed.push_back(parse_pointer(pointer).value());
  const auto tree = JsonTree::parse(text);
  REQUIRE(tree);
  std::string out;
  append_without(*tree, parsed, out);
  return out;
}

}  // namespace

TEST_CASE("excluded values are left out of the canonical form") {
  CHECK(without({}, R"({"b":1.0,"a":[ ]})") == R"({"a":[],"b":1})");
  CHECK(without({"/b"}, R"({"b":1.0,"a":[ ]})") == R"({"a":[]})");
  CHECK(without({"/meta/traceId", "/sentAt"},
                R"({"sentAt":1,"meta":{"traceId":"t","n":1e1},"a\u0062":"\u0041"})") ==
        R"({"ab":"A","meta":{"n":10}})");
  CHECK(without({"/a"}, R"({"a":{"b":[1,2]}})") == "{}");
  CHECK(without({"/a", "/a/b"}, R"({"a":{"b":1},"c":2})") == R"({"c":2})");
}

TEST_CASE("a star names every element, and what is left out of an array leaves no gap") {
  CHECK(without({"/items/*/at"}, R"({"items":[{"id":1,"at":5},{"id":2}]})") ==
        R"({"items":[{"id":1},{"id":2}]})");
  CHECK(without({"/*/*/x"}, R"([[{"x":1,"y":2}],[]])") == R"([[{"y":2}],[]])");
  CHECK(without({"/a/0"}, R"({"a":[1,2,3]})") == R"({"a":[2,3]})");
  CHECK(without({"/a/*"}, R"({"a":[1,2,3]})") == R"({"a":[]})");
}

TEST_CASE("a pointer to nothing leaves everything as it is") {
  CHECK(without({"/x", "/a/x", "/a/*", "/s/x"}, R"({"a":{"*":1},"s":"x"})") ==
        R"({"a":{"*":1},"s":"x"})");
  CHECK(without({"/x"}, R"("text")") == R"("text")");
  CHECK(without({"/0"}, "[]") == "[]");
}
