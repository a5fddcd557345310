#include "policies/grammar.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;
using test::selector;
using namespace std::string_literals;

TEST_CASE("a number is eight bytes, the highest first") {
  std::string out = "x";
  append_number(0x0102030405060708, out);
  CHECK(out == "x\x01\x02\x03\x04\x05\x06\x07\x08");
}

TEST_CASE("a text comes after its length") {
  std::string out;
  append_counted("ab", out);
  append_counted("", out);
  CHECK(out == "\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\0"s);
}

TEST_CASE("values come after their number, each with its type and its length") {
  Request request;
  request.body = R"({"n":1.0})";
  request.headers = {{"a", "xy"}};
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  const Match match;
  const Subject subject{match, view, body};
  std::string out;
  REQUIRE(
      append_values({selector(Source::header, "a"), selector(Source::body, "/n")}, subject, out));
  CHECK(out ==
        "\0\0\0\0\0\0\0\2t\0\0\0\0\0\0\0\2xyj\0\0\0\0\0\0\0\1"
        "1"s);
  CHECK(append_values({selector(Source::header, "b")}, subject, out).error().detail ==
        "selector: b");
}
