#include "config/match_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using policies::HeaderCondition;
using Kind = policies::PathSegment::Kind;

TEST_CASE("A policy covers what changes something unless it says otherwise") {
  CHECK(loaded_policy("").match.methods == Texts{"POST", "PUT", "PATCH", "DELETE"});
  CHECK(!loaded_policy("").match.has_path);
  CHECK(loaded_policy("match: {path: /a}").match.methods.size() == 4);
  CHECK(loaded_policy("match: {methods: [PURGE]}").match.methods == Texts{"PURGE"});
}

TEST_CASE("Methods are case-sensitive tokens") {
  CHECK(
      policy_problems("match: {methods: [post]}") ==
      Texts{"match.methods[0]: \"post\" is not a method: methods are case-sensitive; did you mean "
            "\"POST\"?"});
  CHECK(policy_problems("match: {methods: [POST, \"P T\", POST]}") ==
        Texts{"match.methods[1]: \"P T\" is not a method",
              "match.methods[2]: `POST` is listed twice"});
  CHECK(policy_problems("match: {methods: [TRACE]}") ==
        Texts{"match.methods[0]: \"TRACE\" is refused for every request"});
  CHECK(policy_problems("match: {methods: []}") ==
        Texts{"match.methods: the list of methods is empty"});
}

TEST_CASE("A path template is segments, captures and a rest") {
  const auto match = loaded_policy("match: {path: \"/v1/{ride_id}/%64/**\"}").match;
  REQUIRE(match.has_path);
  REQUIRE(match.path.size() == 4);
  CHECK(match.path[0].text == "v1");
  CHECK(match.path[1].kind == Kind::capture);
  CHECK(match.path[1].text == "ride_id");
  CHECK(match.path[2].text == "d");
  CHECK(match.path[3].kind == Kind::rest);
}

TEST_CASE("A path template that cannot match says why") {
  const auto wrong = [](const std::string& path) {
    return policy_problems("match: {path: \"" + path + "\"}");
  };
  CHECK(wrong("v1/a") ==
        Texts{"match.path: \"v1/a\" is not a path template: a path begins with /"});
  CHECK(wrong("/a/**/b") ==
        Texts{"match.path: \"/a/**/b\" is not a path template: /** stands only at the end"});
  CHECK(wrong("/{a}/{a}") ==
        Texts{"match.path: \"/{a}/{a}\" is not a path template: {a} is captured twice"});
  CHECK(wrong("/caf\xc3\xa9") ==
        Texts{"match.path: \"/caf\xc3\xa9\" is not a path template: write what is not ASCII "
              "percent-encoded"});
  for (const char* path : {"", "/a{b}", "/{}", "/{1}", "/a?b", "//a", "/../a", "/%2F", "/%zz"}) {
    CAPTURE(path);
    CHECK(wrong(path).size() == 1);
  }
}

TEST_CASE("A path expression must be able to match a path") {
  CHECK(loaded_policy("match: {path_regex: \"/v1/(?P<id>[0-9]+)\"}\nfingerprint: [{path: id}]")
            .match.path_regex->pattern() == "/v1/(?P<id>[0-9]+)");
  CHECK(policy_problems("match: {path_regex: v1/.*}") ==
        Texts{"match.path_regex: \"v1/.*\" matches no path: the whole path must match, and it "
              "begins with /"});
  CHECK(policy_problems("match: {path_regex: .*}") == Texts{});
  CHECK(policy_problems("match: {path_regex: \"[/a]b\"}") == Texts{});
  CHECK(policy_problems("match: {path: /a, path_regex: /a}") ==
        Texts{"match.path_regex: `path` and `path_regex` cannot both be given; leave one out"});
}

TEST_CASE("Header conditions are a value, an expression, or presence") {
  const auto match = loaded_policy(
                         "match: {headers: {A: text/x, b: {regex: x+}, c: {present: true}, d: 5, "
                         "e: {present: false}}}")
                         .match;
  REQUIRE(match.headers.size() == 5);
  CHECK(match.headers[0].name == "A");
  CHECK(std::get<std::string>(match.headers[0].is) == "text/x");
  CHECK(std::get<policies::Regex>(match.headers[1].is)->pattern() == "x+");
  CHECK(std::get<HeaderCondition::Present>(match.headers[2].is).there);
  CHECK(std::get<std::string>(match.headers[3].is) == "5");
  CHECK_FALSE(std::get<HeaderCondition::Present>(match.headers[4].is).there);
}

TEST_CASE("Header conditions that cannot be meant are refused") {
  const auto wrong = [](const std::string& headers) {
    return policy_problems("match: {headers: {" + headers + "}}");
  };
  CHECK(wrong("\"a b\": x") == Texts{"match.headers.a b: \"a b\" is not a valid header name"});
  CHECK(wrong("a: x, A: y") == Texts{"match.headers.A: `a` and `A` are one header"});
  CHECK(wrong("a: {present: no}") ==
        Texts{"match.headers.a.present: expected true or false, found \"no\""});
  CHECK(wrong("a: {}") == Texts{"match.headers.a: a header condition is a value, {regex: …} or "
                                "{present: true | false}"});
  CHECK(wrong("a: {present: true, regex: b}").size() == 1);
  CHECK(wrong("a: [b]") ==
        Texts{"match.headers.a: expected a value, {regex: …} or {present: true | false}, found "
              "a list"});
  CHECK(wrong("a: \" b\"") ==
        Texts{"match.headers.a: \" b\" never matches: a field's value has no space around it"});
}

}  // namespace
}  // namespace onceproxy::config
