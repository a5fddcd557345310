#include "policies/cookie.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using Values = std::vector<std::string>;

TEST_CASE("cookies of a name are found in every Cookie field, in order") {
  test::Request request;
  request.headers = {{"Cookie", "a=1; b=\"2\" ;c;d=x=y;;a=3"}, {"x", "a=9"}, {"cookie", "a=4;e="}};
  const auto headers = request.view().headers;
  CHECK(cookie_values(headers, "a") == Values{"1", "3", "4"});
  CHECK(cookie_values(headers, "b") == Values{"\"2\""});
  CHECK(cookie_values(headers, "c").empty());
  CHECK(cookie_values(headers, "d") == Values{"x=y"});
  CHECK(cookie_values(headers, "e") == Values{""});
  CHECK(cookie_values(headers, "A").empty());
}
