#include "config/policy_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Source;

TEST_CASE("A policy has the defaults of config/REFERENCE.md") {
  const auto policy = loaded_policy("");
  CHECK(policy.name == "p");
  CHECK(policy.name_space == "p");
  CHECK(policy.on_missing == policies::OnMissing::reject);
  CHECK(policy.on_unreadable == policies::OnMissing::reject);
  CHECK_FALSE(policy.match.method_override);
  CHECK(policy.on_store_error == policies::OnStoreError::reject);
  CHECK(policy.enforcement.mode == policies::Enforcement::Mode::enforce);
  CHECK(policy.terms.lease == 30s);
  CHECK(policy.terms.window == 24h);
  CHECK(policy.replay.body_bytes_max == 256 * 1024);
  CHECK(policy.scope.empty());
  CHECK(policy.payload.empty());
}

TEST_CASE("Every key of a policy is read") {
  const auto policy = loaded_policy(
      "namespace: old-name\n"
      "scope: [{header: authorization}, {header: x-tenant}]\n"
      "payload: [{body: /amount}]\n"
      "on_missing: pass\nlease: 5s\nwindow: 7d\n"
      "enforcement: {mode: off}\non_store_error: forward");
  CHECK(policy.name_space == "old-name");
  REQUIRE(policy.scope.size() == 2);
  CHECK(policy.scope[1].text == "header: x-tenant");
  REQUIRE(policy.payload.size() == 1);
  CHECK(policy.payload[0].text == "body: /amount");
  CHECK(policy.on_missing == policies::OnMissing::pass);
  CHECK(policy.terms.lease == 5s);
  CHECK(policy.terms.window == 168h);
  CHECK(policy.enforcement.mode == policies::Enforcement::Mode::off);
  CHECK(policy.on_store_error == policies::OnStoreError::forward);
}

TEST_CASE("A lease is a time, or follows how long the policy's forwards take") {
  CHECK_FALSE(loaded_policy("lease: 5s").adaptive_lease);
  const auto policy = loaded_policy(
      "lease: {adaptive: {min: 2s, max: 1m}}\n"
      "overrides:\n"
      "  - {where: {body: /a, equals: x}, lease: 7s}\n"
      "  - {where: {body: /a, equals: y}, window: 1h}");
  REQUIRE(policy.adaptive_lease);
  CHECK(policy.adaptive_lease->min == 2s);
  CHECK(policy.adaptive_lease->max == 1min);
  // upstream.response_timeout, by default.
  CHECK(policy.adaptive_lease->floor == 30s);
  // Until enough was observed.
  CHECK(policy.terms.lease == 1min);
  REQUIRE(policy.overrides.size() == 2);
  CHECK_FALSE(policy.overrides[0].policy->adaptive_lease);
  CHECK(policy.overrides[0].policy->terms.lease == 7s);
  REQUIRE(policy.overrides[1].policy->adaptive_lease);
  CHECK(policy.overrides[1].policy->adaptive_lease->floor == 30s);
  const auto by_default = loaded_policy("lease: {adaptive: {}}");
  CHECK(by_default.adaptive_lease->min == 5s);
  CHECK(by_default.adaptive_lease->max == 5min);
}

TEST_CASE("on_unreadable defaults to the value of on_missing") {
  using policies::OnMissing;
  CHECK(loaded_policy("on_missing: pass").on_unreadable == OnMissing::pass);
  CHECK(loaded_policy("on_missing: pass\non_unreadable: reject").on_unreadable ==
        OnMissing::reject);
  CHECK(loaded_policy("on_unreadable: pass").on_unreadable == OnMissing::pass);
  CHECK(loaded_policy("on_unreadable: pass").on_missing == OnMissing::reject);
}

TEST_CASE("With a client's key, the whole request must not differ") {
  for (const char* fingerprint : {"client_key", "[{client_key: X-Key}, {body: /a}]"}) {
    const auto policy = loaded_policy(std::string("fingerprint: ") + fingerprint);
    REQUIRE(policy.payload.size() == 3);
    CHECK(policy.payload[0].source == Source::method);
    CHECK(policy.payload[0].text == "method: true");
    CHECK(policy.payload[1].source == Source::target);
    CHECK(policy.payload[2].source == Source::content);
  }
  CHECK(loaded_policy("fingerprint: client_key\npayload: []").payload.empty());
  CHECK(loaded_policy("fingerprint: client_key\npayload: [{method: true}]").payload.size() == 1);
}

TEST_CASE("A policy's name is short, plain and unique") {
  const auto named = [](const std::string& name) {
    return problems("policies:\n- {name: " + name + ", fingerprint: client_key, scope: shared}");
  };
  CHECK(named("a-1") == Texts{});
  CHECK(named(std::string(63, 'a')) == Texts{});
  for (const std::string& name : {std::string("A"), std::string("a_b"), std::string("\"\""),
                                  std::string(64, 'a'), std::string("a.b")}) {
    CHECK(named(name).size() == 1);
  }
  CHECK(named("Ride") ==
        Texts{"policies[0].name: \"Ride\" is not a valid name: 1 to 63 of a-z, 0-9 and -"});
  CHECK(problems("policies:\n"
                 "- {name: a, fingerprint: client_key, scope: shared, match: {path: /a}}\n"
                 "- {name: a, fingerprint: client_key, scope: shared, match: {path: /b}}\n") ==
        Texts{"policies[1].name: the name is taken by policies[0]; policies that are to share "
              "fingerprints share a `namespace`"});
}

TEST_CASE("Two policies may share a namespace") {
  CHECK(problems("policies:\n"
                 "- {name: a, namespace: n, fingerprint: client_key, scope: shared, match: {path: "
                 "/a}}\n"
                 "- {name: b, namespace: n, fingerprint: client_key, scope: shared, match: {path: "
                 "/b}}\n") == Texts{});
}

TEST_CASE("A policy without a name or a fingerprint says both") {
  CHECK(problems("policies: [{}]") ==
        Texts{"policies[0]: `name` is missing", "policies[0]: `fingerprint` is missing",
              "policies[0]: `scope` is missing: duplicates are replayed, and without it one caller "
              "could be sent another's answer; write scope: [{header: authorization}], or scope: "
              "shared where everybody may see every answer"});
}

TEST_CASE("A lease may be longer than the window: they follow one another") {
  CHECK(policy_problems("lease: 60s\nwindow: 10s") == Texts{});
}

TEST_CASE("A policy is in force, in the shadow or off, for a share of the fingerprints") {
  using Mode = policies::Enforcement::Mode;
  CHECK(loaded_policy("").enforcement.percent == 100);
  const auto shadow = loaded_policy("enforcement: {mode: shadow, percent: 0}").enforcement;
  CHECK(shadow.mode == Mode::shadow);
  CHECK(shadow.percent == 0);
  CHECK(loaded_policy("enforcement: {percent: 37}").enforcement.percent == 37);
  CHECK(policy_problems("enforcement: {percent: 101}") ==
        Texts{"enforcement.percent: must be from 0 to 100, found \"101\""});
  CHECK(policy_problems("enforcement: {percent: 50%}") ==
        Texts{"enforcement.percent: expected a whole number, found \"50%\""});
}

TEST_CASE("A policy may bound what is forwarded at once") {
  CHECK(loaded_policy("").concurrency_max == 0);
  CHECK(loaded_policy("max_concurrency: 1").concurrency_max == 1);
  CHECK(policy_problems("max_concurrency: -1") ==
        Texts{"max_concurrency: must be from 0 to 1000000, found \"-1\""});
}

}  // namespace
}  // namespace onceproxy::config
