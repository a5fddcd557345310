#include "config/match_reader.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

/// Whether the second policy is refused as never reached.
bool hidden(const std::string& first, const std::string& second) {
  const Texts found = problems(
      "policies:\n- {name: a, fingerprint: client_key, scope: shared, match: {" + first +
      "}}\n- {name: b, fingerprint: client_key, scope: shared, match: {" + second + "}}\n");
  for (const std::string& text : found) {
    CHECK(text ==
          "policies[1].match: never reached: policies[0] (a) covers the same requests and stands "
          "first; put this one before it, or narrow its match");
  }
  return !found.empty();
}

TEST_CASE("A policy that an earlier one leaves nothing to is refused") {
  CHECK(hidden("", ""));
  CHECK(hidden("", "path: /a"));
  CHECK(hidden("path: \"/a/{x}\"", "path: \"/a/{y}\""));
  CHECK(hidden("path: \"/a/{x}\"", "path: /a/b"));
  CHECK(hidden("path: /a/**", "path: /a/b/c"));
  CHECK(hidden("path: /a/**", "path: /a/b/**"));
  CHECK(hidden("methods: [POST, PUT], path: /a", "methods: [PUT], path: /a"));
  CHECK(hidden("path_regex: /a+", "path_regex: /a+"));
  CHECK(hidden("headers: {X: a}", "headers: {x: a, y: b}"));
  CHECK(hidden("headers: {x: {present: true}}", "headers: {x: a}"));
  CHECK(hidden("headers: {x: {present: false}}", "headers: {x: {present: false}}"));
  CHECK(hidden("where: [{body: /t, present: false}]", "where: [{body: /t, present: false}]"));
  CHECK(!hidden("where: [{header: t, capture: '(.)', equals: a}]",
                "where: [{header: t, capture: '.(.)', equals: a}]"));
  CHECK(hidden("headers: {content-type: a/b}", "headers: {content-type: A/B; c=d}"));
  CHECK(!hidden("headers: {content-type: a/b; c=d}", "headers: {content-type: a/b}"));
  CHECK(hidden("where: [{body: /t, equals: a}]", "path: /a, where: [{body: /t, equals: a}]"));
  CHECK(hidden("where: [{body: /t, otherwise: {body: /u}, equals: a}]",
               "where: [{body: /t, otherwise: {body: /u}, equals: a}], path: /a"));
}

TEST_CASE("A policy that minds overriding methods covers more than one that does not") {
  CHECK(!hidden("methods: [POST]", "methods: [POST], method_override: true"));
  CHECK(hidden("methods: [POST], method_override: true", "methods: [POST]"));
  CHECK(hidden("methods: [POST], method_override: true", "methods: [POST], method_override: true"));
}

TEST_CASE("A policy that some request still reaches is fine") {
  CHECK(!hidden("path: /a", ""));
  CHECK(!hidden("path: /a", "path: /a/"));
  CHECK(!hidden("path: /a/b", "path: \"/a/{x}\""));
  CHECK(!hidden("path: \"/a/{x}\"", "path: /a/**"));
  CHECK(!hidden("path: \"/a/{x}\"", "path: /a/"));
  CHECK(!hidden("methods: [PUT], path: /a", "path: /a"));
  CHECK(!hidden("path_regex: /a+", "path: /aa"));
  CHECK(!hidden("path: /a", "path_regex: /a"));
  CHECK(!hidden("headers: {x: a}", "headers: {x: b}"));
  CHECK(!hidden("headers: {x: a}", "headers: {x: {present: true}}"));
  CHECK(!hidden("headers: {x: {present: true}}", "headers: {x: {present: false}}"));
  CHECK(!hidden("headers: {x: {present: false}}", "headers: {x: a}"));
  CHECK(!hidden("where: [{body: /t, present: true}]", "where: [{body: /t, present: false}]"));
  CHECK(!hidden("where: [{body: /t, equals: a}]", "where: [{body: /t, equals: b}]"));
  CHECK(!hidden("where: [{body: /t, equals: a}]", ""));
  CHECK(!hidden("where: [{body: /t, equals: a}]",
                "where: [{body: /t, otherwise: {body: /u}, equals: a}]"));
  CHECK(!hidden("where: [{body: /t, otherwise: {body: /v}, equals: a}]",
                "where: [{body: /t, otherwise: {body: /u}, equals: a}]"));
}

TEST_CASE("A policy with a broken match is not reported as hiding another one") {
  const std::string second =
      "- {name: b, fingerprint: client_key, scope: shared, match: {path: /b}}\n";
  const auto found = [&](const std::string& first) {
    return problems("policies:\n- {fingerprint: client_key, scope: shared, " + first + "}\n" +
                    second);
  };
  CHECK(found("name: a, match: {path: b}") ==
        Texts{"policies[0].match.path: \"b\" is not a path template: a path begins with /"});
  CHECK(found("name: a, mtach: {path: /a}").size() == 1);
  CHECK(found("name: a, match: {where: [{bdy: /t, equals: a}]}").size() == 1);
}

TEST_CASE("A policy without a good name hides others all the same") {
  const Texts found = problems(
      "policies:\n- {name: A, fingerprint: client_key, scope: shared, match: {path: /**}}\n"
      "- {name: b, fingerprint: client_key, scope: shared, match: {path: /b}}\n");
  REQUIRE(found.size() == 2);
  CHECK(found[1] ==
        "policies[1].match: never reached: policies[0] covers the same requests and stands first; "
        "put this one before it, or narrow its match");
}

}  // namespace
}  // namespace onceproxy::config
