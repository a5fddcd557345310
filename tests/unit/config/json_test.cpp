#include "config/json.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::config {
namespace {

TEST_CASE("JSON keeps the order of its members") {
  Json object = Json::object({{"b", 1}, {"a", Json::array({true, Json(), "x"})}});
  object.set("c", Json::object());
  object.set("b", 2);
  CHECK(object.dump() == R"({"b":2,"a":[true,null,"x"],"c":{}})");
  CHECK(object.dump(2) ==
        "{\n  \"b\": 2,\n  \"a\": [\n    true,\n    null,\n    \"x\"\n  ],\n  \"c\": {}\n}");
  CHECK(object.find("z") == nullptr);
}

TEST_CASE("Any bytes become valid JSON") {
  CHECK(Json("a\"\\\n\x01\x7f\xc3\xa9").dump() == "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\"");
  CHECK(Json("\xff").dump() == "\"\\ufffd\"");
}

}  // namespace
}  // namespace onceproxy::config
