#include "config/policy_checks.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

Texts without_scope(const std::string& lines) {
  return problems("policies:\n- name: p\n  fingerprint: client_key\n" + lines);
}

TEST_CASE("Replaying needs a scope, so that no caller sees another's answer") {
  const Texts missing{
      "policies[0]: `scope` is missing: duplicates are replayed, and without it one caller could "
      "be sent another's answer; write scope: [{header: authorization}], or scope: shared where "
      "everybody may see every answer"};
  CHECK(without_scope("") == missing);
  CHECK(without_scope("  on_duplicate: replay\n") == missing);
  CHECK(without_scope("  enforcement: {mode: off}\n") == missing);
  CHECK(without_scope("  scope: shared\n") == Texts{});
  CHECK(without_scope("  scope: [{header: authorization}]\n") == Texts{});
  CHECK(without_scope("  on_duplicate: {status: 200}\n") == Texts{});
  CHECK(without_scope("  scope: []\n") ==
        Texts{"policies[0].scope: the list of selectors is empty"});
  CHECK(without_scope("  scope: all\n") ==
        Texts{"policies[0].scope: expected a list of selectors or the word shared, found \"all\""});
}

TEST_CASE("A misspelt scope is one problem") {
  CHECK(without_scope("  scop: shared\n") ==
        Texts{"policies[0].scop: unknown key \"scop\"; did you mean \"scope\"?"});
}

TEST_CASE("A path selector names a capture that the path has") {
  CHECK(policy_problems("match: {path: \"/a/{id}/{n}\"}\nfingerprint: [{path: idd}]") ==
        Texts{"fingerprint[0].path: the path captures no `idd`, only id or n"});
  CHECK(policy_problems("match: {path: /a}\nfingerprint: [{path: id}]") ==
        Texts{"fingerprint[0].path: the path captures nothing, so there is no `id`; write {id} "
              "into match.path"});
  CHECK(policy_problems("match: {path_regex: \"/(?P<a>.*)\"}\npayload: [{path: b}]\n"
                        "scope: [{path: c}]") ==
        Texts{"payload[0].path: the path captures no `b`, only a",
              "scope[0].path: the path captures no `c`, only a"});
  CHECK(policy_problems("match: {path: /a, where: [{path: id, equals: x}]}").size() == 1);
  CHECK(policy_problems("match: {path: a}\nfingerprint: [{path: id}]").size() == 1);
}

TEST_CASE("A body is not selected from requests that have none") {
  CHECK(policy_problems("match: {methods: [GET, HEAD]}\nfingerprint: [{body: /id}]") ==
        Texts{"fingerprint[0].body: the policy covers GET or HEAD alone, which have no body; "
              "select from the path, the query or a header"});
  CHECK(policy_problems("match: {methods: [GET]}\nfingerprint: [{query: a}]\n"
                        "payload: [{form: a}]")
            .size() == 1);
  CHECK(policy_problems("match: {methods: [GET, POST]}\nfingerprint: [{body: /id}]") == Texts{});
  CHECK(policy_problems("match: {methods: [GET]}\nfingerprint: client_key") == Texts{});
  CHECK(policy_problems("match: {methods: [GET, post]}\nfingerprint: [{body: /id}]").size() == 1);
}

TEST_CASE("A fingerprint that all requests share is refused") {
  const std::string message =
      "fingerprint: every request would be one operation; select a field that tells them apart";
  CHECK(policy_problems("fingerprint: [{const: a}]") == Texts{message});
  CHECK(policy_problems("fingerprint: [{const: a}, {method: true}]") == Texts{message});
  CHECK(policy_problems("fingerprint: [{const: a}, {body: /id}]") == Texts{});
  CHECK(policy_problems("fingerprint: []") == Texts{"fingerprint: the list of selectors is empty"});
}

}  // namespace
}  // namespace onceproxy::config
