#include "config/override_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

const std::string critical = "where: {body: /severity, equals: critical}";

/// The policies that the overrides of a policy come to.
std::vector<policies::Override> overrides_of(const std::string& yaml,
                                             const std::string& lines = "") {
  return loaded_policy(lines + "overrides: " + yaml).overrides;
}

Texts wrong(const std::string& yaml, const std::string& lines = "") {
  return policy_problems(lines + "overrides: " + yaml);
}

TEST_CASE("A policy has no overrides unless it lists them") {
  CHECK(loaded_policy("").overrides.empty());
  CHECK(wrong("[]") == Texts{"overrides: the list of overrides is empty"});
  CHECK(wrong("{}") == Texts{"overrides: expected a list of overrides, found a map"});
  CHECK(wrong("[critical]") == Texts{"overrides[0]: expected a map, found \"critical\""});
}

TEST_CASE("Every key that says what becomes of an operation can be overridden") {
  const auto overrides = overrides_of(
      "[{" + critical +
      ", lease: 10s, window: 5m, in_flight: {action: wait}, on_duplicate: {status: 202}, "
      "outcome: {release: [], unknown: hold}, replay: {max_body: 1KiB}, "
      "rate_limit: {limit: 60, per: 1h}, respond: {stale: {status: 204}}, "
      "on_store_error: forward}]");
  REQUIRE(overrides.size() == 1);
  REQUIRE(overrides[0].where.size() == 1);
  CHECK(overrides[0].where[0].selector.text == "body: /severity");
  CHECK(overrides[0].where[0].any_of == std::vector<std::string>{"critical"});
  const auto& policy = *overrides[0].policy;
  CHECK(policy.terms.lease == 10s);
  CHECK(policy.terms.window == 5min);
  CHECK(policy.terms.unknown == store::OnUnknown::hold);
  CHECK(policy.in_flight.action == policies::InFlightRule::Action::wait);
  CHECK(policy.on_duplicate->status == 202);
  CHECK(!policy.outcome.release.has_class(5));
  CHECK(policy.replay.body_bytes_max == 1024);
  CHECK(policy.rate_limit->limit == 60);
  CHECK(policy.respond[static_cast<std::size_t>(policies::Refusal::stale)]->status == 204);
  CHECK(policy.on_store_error == policies::OnStoreError::forward);
}

TEST_CASE("Keys that an override does not set come from the policy, wherever they stand in it") {
  const std::string own =
      "namespace: n\nmatch: {path: /a}\nfingerprint: [{client_key: k}]\nlease: 7s\nwindow: 8s\n"
      "outcome: {release: [409]}\nrate_limit: {limit: 3, per: 1h}\n"
      "respond: {stale: {status: 204}, held: {status: 503}}\n";
  const std::string later =
      "\non_duplicate: {status: 299}\nentity: {type: t, id: [{body: /a}]}\non_missing: pass\n"
      "enforcement: {mode: shadow}";
  const auto overrides = overrides_of("[{" + critical + ", window: 1s}]" + later, own);
  REQUIRE(overrides.size() == 1);
  const auto& policy = *overrides[0].policy;
  CHECK(policy.terms.window == 1s);
  CHECK(policy.terms.lease == 7s);
  CHECK(policy.name == "p");
  CHECK(policy.name_space == "n");
  CHECK(policy.match.has_path);
  CHECK(policy.fingerprint.size() == 1);
  CHECK(policy.payload.size() == 3);
  CHECK(policy.outcome.release.has_single(409));
  CHECK(policy.rate_limit->limit == 3);
  CHECK(policy.on_duplicate->status == 299);
  CHECK(policy.entity->type == "t");
  CHECK(policy.on_missing == policies::OnMissing::pass);
  CHECK(policy.enforcement.mode == policies::Enforcement::Mode::shadow);
  CHECK(policy.overrides.empty());
}

TEST_CASE("A key is replaced as a whole, and by one override only") {
  const std::string own =
      "outcome: {release: [409], unknown: hold}\nwindow: 8s\n"
      "respond: {stale: {status: 204}, held: {status: 503}}\n";
  const auto overrides = overrides_of("[{" + critical +
                                          ", outcome: {release: [429]}, respond: {held: {}}}, "
                                          "{where: {body: /n, regex: a+}, window: 1s}]",
                                      own);
  REQUIRE(overrides.size() == 2);
  const auto& first = *overrides[0].policy;
  CHECK(first.terms.unknown == store::OnUnknown::retry);
  CHECK(!first.outcome.release.has_single(409));
  CHECK(!first.respond[static_cast<std::size_t>(policies::Refusal::stale)]);
  CHECK(first.respond[static_cast<std::size_t>(policies::Refusal::held)]->status == 409);
  CHECK(first.terms.window == 8s);
  const auto& second = *overrides[1].policy;
  CHECK(second.terms.window == 1s);
  CHECK(second.terms.unknown == store::OnUnknown::hold);
}

TEST_CASE("A duplicate can be replayed by an override of a policy that answers otherwise") {
  const auto overrides =
      overrides_of("[{" + critical + ", on_duplicate: replay}]", "on_duplicate: {status: 200}\n");
  CHECK(!overrides.at(0).policy->on_duplicate);
  CHECK(problems("policies:\n- name: p\n  fingerprint: [{body: /id}]\n"
                 "  on_duplicate: {status: 200}\n  overrides:\n  - " +
                 critical + "\n    on_duplicate: replay\n") ==
        Texts{"policies[0].overrides[0].on_duplicate: `scope` is missing: duplicates are replayed, "
              "and without it one caller could be sent another's answer; write scope: [{header: "
              "authorization}], or scope: shared where everybody may see every answer"});
}

TEST_CASE("An override has one condition or several") {
  const auto overrides = overrides_of(
      "[{where: [{body: /severity, equals: critical}, {header: x, in: [a, b]}], window: 1s}]");
  CHECK(overrides.at(0).where.size() == 2);
  CHECK(wrong("[{window: 1s}]") == Texts{"overrides[0]: `where` is missing"});
  CHECK(wrong("[{where: [], window: 1s}]") ==
        Texts{"overrides[0].where: the list of conditions is empty"});
  CHECK(wrong("[{where: {body: /a}, window: 1s}]") ==
        Texts{"overrides[0].where: a condition has one of equals, in, regex or present"});
  CHECK(wrong("[{where: critical, window: 1s}]") ==
        Texts{"overrides[0].where: expected a list of conditions, found \"critical\""});
}

TEST_CASE("An override replaces something, and nothing that is the policy's alone") {
  const std::string can =
      "lease, window, in_flight, on_duplicate, outcome, replay, rate_limit, respond or "
      "on_store_error";
  CHECK(wrong("[{" + critical + "}]") ==
        Texts{"overrides[0]: the override replaces nothing; give it one of " + can});
  for (const std::string key :
       {"name", "namespace", "match", "fingerprint", "scope", "payload", "on_missing",
        "on_unreadable", "entity", "enforcement", "max_concurrency", "overrides"}) {
    CHECK(wrong("[{" + critical + ", " + key + ": {}}]",
                "fingerprint: client_key\nscope: shared\n") ==
          Texts{"overrides[0]." + key + ": `" + key +
                "` cannot be overridden; an override may contain " + can});
  }
  CHECK(wrong("[{" + critical + ", windw: 5s}]") ==
        Texts{"overrides[0].windw: unknown key \"windw\"; did you mean \"window\"?"});
  CHECK(wrong("[{" + critical + ", window: 5}]").size() == 1);
}

TEST_CASE("The selectors of an override fit the policy's path and methods") {
  CHECK(wrong("[{where: {path: id, equals: a}, rate_limit: {limit: 1, per: 1s, by: [{path: n}]}}]",
              "match: {path: \"/{x}\"}\n") ==
        Texts{"overrides[0].where.path: the path captures no `id`, only x",
              "overrides[0].rate_limit.by[0].path: the path captures no `n`, only x"});
  CHECK(wrong("[{where: [{body: /a, equals: a}], window: 1s}]",
              "match: {methods: [GET]}\nfingerprint: [{query: q}]\n")
            .size() == 1);
}

TEST_CASE("An override that an earlier one leaves nothing to is refused") {
  const std::string also = "where: [{body: /severity, equals: critical}, {header: x, equals: a}]";
  CHECK(wrong("[{" + critical + ", window: 1s}, {" + also + ", window: 2s}]") ==
        Texts{"overrides[1]: never applies: overrides[0] applies to the same requests and stands "
              "first; put this one before it, or narrow its `where`"});
  CHECK(wrong("[{" + also + ", window: 1s}, {" + critical + ", window: 2s}]") == Texts{});
}

}  // namespace
}  // namespace onceproxy::config
