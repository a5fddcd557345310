#include "proxy/telemetry/json.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::telemetry {
namespace {

TEST_CASE("JSON keeps the order of its members") {
  Json object = JsonObject({{"b", 1}, {"a", JsonArray({true, Json(), "x"})}});
  set_member(object, "c", JsonObject());
  set_member(object, "b", 2);
  CHECK(json_text(object) == R"({"b":2,"a":[true,null,"x"],"c":{}})");
  CHECK(json_text(object, 2) ==
        "{\n  \"b\": 2,\n  \"a\": [\n    true,\n    null,\n    \"x\"\n  ],\n  \"c\": {}\n}");
  CHECK(json_text(JsonArray(), 2) == "[]");
}

TEST_CASE("members are found in objects alone") {
  const Json object = JsonObject({{"a", "x"}, {"n", 1}});
  REQUIRE(json_member(object, "a") != nullptr);
  CHECK(*json_member(object, "a") == Json("x"));
  CHECK(json_member(object, "z") == nullptr);
  CHECK(json_member(Json("a"), "a") == nullptr);
  CHECK(json_member_text(object, "a") == "x");
  CHECK(json_member_text(object, "n").empty());
  CHECK(json_member_text(object, "z").empty());
}

TEST_CASE("any bytes become valid JSON that is safe to print") {
  CHECK(json_text(Json("a\"\\\n\x01\x7f\xc3\xa9")) == "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\"");
  CHECK(json_text(Json("\xff")) == "\"\xef\xbf\xbd\"");
  CHECK(json_text(Json("\xc2\x9b\xe2\x80\xa8")) == "\"\\u009b\\u2028\"");
  CHECK(json_text(JsonObject({{"\x1b", 1}})) == R"({"\u001b":1})");
}

TEST_CASE("numbers are printed whole") {
  CHECK(json_text(Json(std::uint64_t{18'446'744'073'709'551'615U})) == "18446744073709551615");
  CHECK(json_text(Json(std::int64_t{-9'007'199'254'740'993})) == "-9007199254740993");
}

}  // namespace
}  // namespace onceproxy::telemetry
