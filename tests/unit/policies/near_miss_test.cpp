#include "policies/near_miss.hpp"

#include <catch2/catch.hpp>
#include <optional>

#include "request.hpp"

using namespace onceproxy::policies;
using test::path_match;
using test::Request;

namespace {

std::optional<NearMiss> miss(Match match, Request request) {
  if (match.methods.empty()) match.methods = {"POST"};
  std::vector<Policy> policies(1);
  policies[0].match = std::move(match);
  const std::vector<Missed> missed = near_misses(policies, request.view());
  if (missed.empty()) return std::nullopt;
  return missed[0].what;
}

std::optional<NearMiss> path_miss(const std::string& asked, const std::string& given) {
  Request request;
  request.target = given;
  return miss(path_match(asked), request);
}

}  // namespace

TEST_CASE("a request that meets all but the method, a header or a condition is near") {
  Request request;
  request.target = "/orders";
  request.method = "PUT";
  CHECK(miss(path_match("/orders"), request) == NearMiss::method);
  request.method = "POST";
  Match match = path_match("/orders");
  match.headers.push_back({"x-kind", std::string("new")});
  CHECK(miss(match, request) == NearMiss::header);
  request.headers.emplace_back("X-Kind", "new");
  CHECK(miss(match, request) == NearMiss::condition);
}

TEST_CASE("a method that only reads is near nothing unless it is listed") {
  Request request;
  request.target = "/orders/";
  request.method = "GET";
  CHECK_FALSE(miss(path_match("/orders/"), request));
  Match reading = path_match("/orders");
  reading.methods = {"GET"};
  CHECK(miss(reading, request) == NearMiss::path);
}

TEST_CASE("a path that is another by one slip is near") {
  CHECK(path_miss("/orders", "/orders/") == NearMiss::path);
  CHECK(path_miss("/orders/", "/orders") == NearMiss::path);
  CHECK(path_miss("/v1/order/{id}", "/v1/orders/7") == NearMiss::path);
  CHECK(path_miss("/v1/orders/{id}", "/v1/Orders/7") == NearMiss::path);
  CHECK(path_miss("/v1/oders", "/v1/orders") == NearMiss::path);
  CHECK(path_miss("/v1/orbers", "/v1/orders") == NearMiss::path);
  CHECK(path_miss("/orders/{id}", "/api/v1/orders/7") == NearMiss::path);
  CHECK(path_miss("/api/orders/{id}", "/orders/7") == NearMiss::path);
  CHECK(path_miss("/ordes/**", "/orders/7/items") == NearMiss::path);
}

TEST_CASE("another path is not") {
  CHECK_FALSE(path_miss("/v1/refunds", "/v1/orders"));
  CHECK_FALSE(path_miss("/v1/orders/{id}", "/v1/orders"));
  CHECK_FALSE(path_miss("/v1/orders", "/v2/orders"));
  CHECK_FALSE(path_miss("/{a}", "/x/y"));
  CHECK_FALSE(path_miss("/orders", "/"));
  CHECK_FALSE(path_miss("/oders/{id}/lines", "/orders/7/line"));
}

TEST_CASE("an expression is tried with and without a slash at the end") {
  Match match;
  match.path_regex = test::regex("/orders/[0-9]+");
  Request request;
  request.target = "/orders/7/";
  CHECK(miss(match, request) == NearMiss::path);
  request.target = "/orders/x";
  CHECK_FALSE(miss(match, request));
}
