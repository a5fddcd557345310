#include "policies/request_view.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;

TEST_CASE("header fields are found by name whatever its case, the first of several") {
  test::Request request;
  request.headers = {{"Content-Type", "a"}, {"X-Key", "1"}, {"x-key", "2"}};
  const RequestView view = request.view();
  REQUIRE(view.header("X-KEY") != nullptr);
  CHECK(view.header("X-KEY")->value == "1");
  CHECK(view.header("content-type")->value == "a");
  CHECK(view.header("content-typ") == nullptr);
  CHECK(view.header("") == nullptr);
}

TEST_CASE("only letters of ASCII lose their case") {
  CHECK(equals_ignoring_case("aZ0-", "Az0-"));
  CHECK_FALSE(equals_ignoring_case("@", "`"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
  CHECK_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4"));
}
