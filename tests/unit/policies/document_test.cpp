#include "policies/document.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;

TEST_CASE("a body that is not encoded is its own content, without a copy") {
  Request request;
  request.body = R"({"a":1})";
  const RequestView view = request.view();
  Document document(view, request.body, 1);
  REQUIRE(document.content() != nullptr);
  CHECK(document.content()->data() == request.body.data());
  REQUIRE(document.json() != nullptr);
  CHECK(document.json() == document.json());
}

TEST_CASE("a body of an unknown coding has neither content nor JSON") {
  Request request;
  request.headers = {{"Content-Encoding", "br"}};
  request.body = R"({"a":1})";
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  CHECK(document.json() == nullptr);
  CHECK(document.content() == nullptr);
}

TEST_CASE("an empty body has content but no JSON") {
  Request request;
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  REQUIRE(document.content() != nullptr);
  CHECK(document.content()->empty());
  CHECK(document.json() == nullptr);
}
