#include "policies/conditions.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;
using test::selector;

namespace {

Truth truth_for(const Condition& condition, Request request) {
  const Match match;
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  return holds(condition, Subject{match, view, body});
}

bool holds_for(const Condition& condition, Request request) {
  return truth_for(condition, std::move(request)) == Truth::yes;
}

bool body_equals(std::string body, std::string text) {
  Request request;
  request.body = std::move(body);
  return holds_for({selector(Source::body, "/a"), {std::move(text)}, nullptr}, request);
}

}  // namespace

TEST_CASE("conditions compare the field's text") {
  CHECK(body_equals(R"({"a":"x"})", "x"));
  CHECK(body_equals(R"({"a":1.0})", "1"));
  CHECK(body_equals(R"({"a":"1"})", "1"));
  CHECK(body_equals(R"({"a":true})", "true"));
  CHECK(body_equals(R"({"a":null})", "null"));
  CHECK(body_equals(R"({"a":""})", ""));
  CHECK(body_equals(R"({"a":[1, 2]})", "[1,2]"));
  CHECK_FALSE(body_equals(R"({"a":"X"})", "x"));
  CHECK_FALSE(body_equals(R"({"a":"xx"})", "x"));
}

TEST_CASE("a missing field and a malformed key meet no condition") {
  CHECK_FALSE(body_equals("{}", ""));
  CHECK_FALSE(body_equals("", ""));
  CHECK_FALSE(body_equals("no json", "no json"));
  Request request;
  request.headers = {{"k", "a,b"}};
  CHECK_FALSE(holds_for({selector(Source::client_key, "k"), {"a,b", ""}, nullptr}, request));
  Selector with_default = selector(Source::header, "absent");
  with_default.default_value = "x";
  CHECK(holds_for({with_default, {"x"}, nullptr}, request));
}

TEST_CASE("expressions match the whole text") {
  const Condition condition{selector(Source::header, "k"), {}, test::regex("a|b+")};
  for (const auto& [value, expected] :
       {std::pair("a", true), {"bbb", true}, {"ab", false}, {"", false}, {"xa", false}}) {
    Request request;
    request.headers = {{"K", value}};
    INFO(value);
    CHECK(holds_for(condition, request) == expected);
  }
}

TEST_CASE("all of several must hold, and none is no obstacle") {
  Request request;
  request.headers = {{"a", "1"}, {"b", "2"}};
  const Match match;
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  const Subject subject{match, view, body};
  const Condition a{selector(Source::header, "a"), {"0", "1"}, nullptr};
  const Condition b{selector(Source::header, "b"), {"1"}, nullptr};
  CHECK(all_hold({}, subject) == Truth::yes);
  CHECK(all_hold(std::vector{a}, subject) == Truth::yes);
  CHECK(all_hold(std::vector{a, b}, subject) == Truth::no);
}

TEST_CASE("a header condition sees repeated fields as one list") {
  Request request;
  request.headers = {{"a", "1"}, {"b", "x"}, {"A", "2"}};
  CHECK(holds(HeaderCondition{"a", std::string("1, 2")}, request.view()));
  CHECK_FALSE(holds(HeaderCondition{"a", std::string("1")}, request.view()));
  CHECK(holds(HeaderCondition{"a", test::regex("1.*")}, request.view()));
}

TEST_CASE("a condition may ask whether a field is there, whatever its value") {
  const auto present = [](const std::string& body, bool there) {
    Request request;
    request.body = body;
    return truth_for({selector(Source::body, "/a"), {}, nullptr, there}, request);
  };
  for (const char* there : {R"({"a":null})", R"({"a":""})", R"({"a":[]})"}) {
    CHECK(present(there, true) == Truth::yes);
    CHECK(present(there, false) == Truth::no);
  }
  for (const char* missing : {R"({"b":1})", "", "text"}) {
    CHECK(present(missing, true) == Truth::no);
    CHECK(present(missing, false) == Truth::yes);
  }
  CHECK(present("{", true) == Truth::unreadable);
  CHECK(present("{", false) == Truth::unreadable);
  Request malformed;
  malformed.headers = {{"k", "a,b"}};
  CHECK_FALSE(holds_for({selector(Source::client_key, "k"), {}, nullptr, false}, malformed));
}

TEST_CASE("a header condition may ask whether a field is there") {
  using Present = HeaderCondition::Present;
  Request request;
  request.headers = {{"a", ""}};
  CHECK(holds(HeaderCondition{"A", Present{true}}, request.view()));
  CHECK_FALSE(holds(HeaderCondition{"A", Present{false}}, request.view()));
  CHECK(holds(HeaderCondition{"b", Present{false}}, request.view()));
  CHECK_FALSE(holds(HeaderCondition{"b", Present{true}}, request.view()));
}

TEST_CASE("a condition on an unreadable body neither holds nor fails") {
  const Condition asks_body{selector(Source::body, "/a"), {"x"}, nullptr};
  Request request;
  request.body = R"({"a":"x","a":"x"})";
  CHECK(truth_for(asks_body, request) == Truth::unreadable);
  request.body = "a=x";
  CHECK(truth_for(asks_body, request) == Truth::no);

  const Condition asks_header{selector(Source::header, "x"), {"1"}, nullptr};
  const Match match;
  const auto all = [&](std::vector<Condition> conditions, std::string header) {
    Request asked;
    asked.headers = {{"x", std::move(header)}};
    asked.body = "{";
    const RequestView view = asked.view();
    Document body(view, asked.body, 1 << 20);
    return all_hold(conditions, Subject{match, view, body});
  };
  CHECK(all({}, "1") == Truth::yes);
  CHECK(all({asks_body, asks_header}, "1") == Truth::unreadable);
  CHECK(all({asks_header, asks_body}, "1") == Truth::unreadable);
  CHECK(all({asks_body, asks_header}, "2") == Truth::no);
  CHECK(all({asks_header, asks_body}, "2") == Truth::no);
}
