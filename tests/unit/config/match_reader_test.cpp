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
  CHECK(loaded_policy("match: {methods: [QUERY]}").match.methods == Texts{"QUERY"});
}

TEST_CASE("A method that nobody registered is confirmed, so that no slip covers nothing") {
  CHECK(policy_problems("match: {methods: [PSOT]}") ==
        Texts{"match.methods[0]: \"PSOT\" is not a registered method; did you mean \"POST\"? If "
              "not, write {unregistered: PSOT}"});
  CHECK(policy_problems("match: {methods: [PURGE]}") ==
        Texts{"match.methods[0]: \"PURGE\" is not a registered method; write {unregistered: "
              "PURGE}"});
  CHECK(loaded_policy("match: {methods: [POST, {unregistered: PURGE}]}").match.methods ==
        Texts{"POST", "PURGE"});
  CHECK(
      policy_problems("match: {methods: [{unregistered: POST}]}") ==
      Texts{"match.methods[0].unregistered: \"POST\" is a registered method; write it as a word"});
  CHECK(policy_problems("match: {methods: [{unregistered: A}, {unregistered: A}]}") ==
        Texts{"match.methods[1]: `A` is listed twice"});
  CHECK(policy_problems("match: {methods: POST}") ==
        Texts{"match.methods: expected a list of methods, found \"POST\"; did you mean [POST]?"});
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
  CHECK(
      wrong("/caf\xc3\xa9") ==
      Texts{"match.path: \"/caf\xc3\xa9\" is not a path template: characters outside ASCII must be "
            "percent-encoded"});
  for (const char* path : {"", "/a{b}", "/{}", "/{1}", "/a?b", "//a", "/../a", "/%2F", "/%zz"}) {
    CAPTURE(path);
    CHECK(wrong(path).size() == 1);
  }
}

TEST_CASE("A path that is written as other routers write it is told as it is written here") {
  const auto meant = [](const std::string& path) {
    const Texts found = policy_problems("match: {path: '" + path + "'}");
    const std::size_t at = found.size() == 1 ? found[0].find("did you mean ") : std::string::npos;
    if (at == std::string::npos) return std::string();
    const std::string rest = found[0].substr(at + 13);
    const std::size_t end = rest.find("? For this very text");
    return rest.substr(0, end == std::string::npos ? rest.rfind('?') : end);
  };
  CHECK(meant("/orders/:id") == "path: /orders/{id}");
  CHECK(meant("/orders/:id/items/:item?") == "path: /orders/{id}/items/{item}");
  CHECK(meant("/files/:rest*") == "path: /files/**");
  CHECK(meant("/orders/<id>") == "path: /orders/{id}");
  CHECK(meant("/orders/<int:id>") == "path: /orders/{id}, or path_regex: '/orders/(?P<id>[0-9]+)'");
  CHECK(meant("/files/<path:rest>") == "path: /files/**");
  CHECK(meant("/orders/[id]") == "path: /orders/{id}");
  CHECK(meant("/files/[...rest]") == "path: /files/**");
  CHECK(meant("/orders/$id") == "path: /orders/{id}");
  CHECK(meant("/orders/{id:[^/]+}/x") == "path: /orders/{id}/x");
  CHECK(meant("/orders/{id:[0-9]+}") ==
        "path: /orders/{id}, or path_regex: '/orders/(?P<id>[0-9]+)'");
  CHECK(meant("/files/{*rest}") == "path: /files/**");
  CHECK(meant("/orders/{{id}}") == "path: /orders/{id}");
  CHECK(meant("/orders/{id}.json") == "path_regex: '/orders/(?P<id>[^/]+)\\.json'");
  CHECK(meant("/orders/(.+)") == "path_regex: '/orders/(.+)'");
  CHECK(meant("https://a.example/orders") == "path: /orders");
  CHECK(policy_problems("match: {path: '^/orders$'}") ==
        Texts{"match.path: \"^/orders$\" is not a path template: it is a regular expression; did "
              "you mean path_regex: '/orders'? The whole path must match in any case"});
  CHECK(policy_problems("match: {path: '/orders?x=1'}") ==
        Texts{"match.path: \"/orders?x=1\" is not a path template: a path is compared without "
              "its query; write path: /orders and where: [{query: x, equals: \"1\"}]"});
  CHECK(policy_problems("match: {path: '/a<b'}").size() == 1);
}

TEST_CASE("A valid path that resembles another router's syntax is accepted") {
  for (const char* path : {"/v1/rides/42:cancel", "/odata/$batch", "/Patient/$process-message",
                           "/a(1)", "/a;v=1", "/~user", "/a+b", "/a=b", "/:", "/a%5B0%5D"}) {
    CAPTURE(path);
    CHECK(policy_problems("match: {path: '" + std::string(path) + "'}") == Texts{});
  }
}

TEST_CASE("A template's capture in an expression is refused") {
  CHECK(policy_problems("match: {path_regex: '/orders/{id}'}") ==
        Texts{"match.path_regex: \"/orders/{id}\" matches no path: {id} is only text to an "
              "expression; write (?P<id>[^/]+), or a template under `path`. For this very text "
              "write \\{id\\}"});
  for (const char* good : {"/a{2,3}", "/\\{id\\}", "/\\p{Greek}+"}) {
    CAPTURE(good);
    CHECK(policy_problems("match: {path_regex: '" + std::string(good) + "'}") == Texts{});
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

TEST_CASE("A condition on content-type is a media type") {
  const auto match =
      loaded_policy("match: {headers: {Content-Type: 'Application/JSON; Charset=\"UTF-8\"'}}")
          .match;
  REQUIRE(match.headers.size() == 1);
  CHECK(std::get<policies::MediaType>(match.headers[0].is) ==
        policies::MediaType{"application/json", {{"charset", "UTF-8"}}});
  CHECK(policy_problems("match: {headers: {content-type: json}}") ==
        Texts{"match.headers.content-type: \"json\" is not a media type such as application/json; "
              "did you mean \"application/json\"?"});
  CHECK(policy_problems("match: {headers: {content-type: text/*}}") ==
        Texts{"match.headers.content-type: \"text/*\" is not a media type such as "
              "application/json, which has no *; write {regex: …}"});
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
