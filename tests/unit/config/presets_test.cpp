#include "config/presets.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "loading.hpp"
#include "policies/outcome.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Refusal;

policies::Policy preset(const std::string& name, const std::string& lines = "") {
  Settings settings = loaded("policies:\n- name: p\n  preset: " + name + "\n" + lines);
  REQUIRE(settings.policies.size() == 1);
  return std::move(settings.policies[0]);
}

Texts texts(const std::vector<policies::Selector>& selectors) {
  Texts out;
  for (const auto& selector : selectors) out.push_back(selector.text);
  return out;
}

const policies::FixedAnswer& answer(const policies::Policy& policy, Refusal refusal) {
  const auto& given = policy.respond[static_cast<std::size_t>(refusal)];
  REQUIRE(given);
  return *given;
}

/// Those whose senders take 2xx for delivered; the others are calls.
Texts senders() {
  Texts names = preset_names();
  std::erase_if(names, [](const std::string& name) { return name == "json-rpc" || name == "mcp"; });
  return names;
}

TEST_CASE(
    "Every sender's preset waits for the first, and asks for another delivery while nobody knows") {
  CHECK(preset_names() ==
        Texts{"alertmanager", "cloudevents", "github", "stripe", "svix", "sns", "json-rpc", "mcp"});
  for (const std::string& name : senders()) {
    CAPTURE(name);
    const auto policy = preset(name);
    REQUIRE(policy.on_duplicate);
    CHECK(policy.on_duplicate->status == 200);
    CHECK(policy.in_flight.action == policies::InFlightRule::Action::wait);
    CHECK(policy.in_flight.timeout == 10s);
    CHECK(answer(policy, Refusal::in_flight).status == 503);
    CHECK(answer(policy, Refusal::held).status == 503);
    CHECK(std::count_if(policy.respond.begin(), policy.respond.end(),
                        [](const auto& each) { return each.has_value(); }) == 2);
    CHECK(policy.terms.unknown == store::OnUnknown::retry);
    for (const int status : {307, 308, 400, 401, 404, 408, 500, 503}) {
      CHECK(policies::classify(policy.outcome, status) == policies::Verdict::release);
    }
    for (const int status : {502, 504}) {
      CHECK(policies::classify(policy.outcome, status) == policies::Verdict::ambiguous);
    }
    CHECK(policies::classify(policy.outcome, 204) == policies::Verdict::complete);
    CHECK(policy.payload.empty());
  }
}

TEST_CASE("A preset knows the fields that name its sender's deliveries, and how long they come") {
  const auto alertmanager = preset("alertmanager");
  CHECK(texts(alertmanager.fingerprint) ==
        Texts{"body: /receiver", "body: /groupKey", "body: /status", "body: /alerts/*/fingerprint",
              "body: /alerts/*/status", "body: /alerts/*/startsAt"});
  for (std::size_t i = 3; i < 6; ++i) CHECK(alertmanager.fingerprint[i].sort);
  CHECK(alertmanager.terms.window == 1h);
  CHECK(alertmanager.on_missing == policies::OnMissing::pass);
  CHECK(texts(preset("cloudevents").fingerprint) ==
        Texts{"header: ce-source, otherwise: {body: /source}",
              "header: ce-id, otherwise: {body: /id}"});
  CHECK(preset("cloudevents").terms.window == 24h);
  CHECK(texts(preset("github").fingerprint) == Texts{"header: x-github-delivery"});
  CHECK(preset("github").terms.window == 72h);
  CHECK(texts(preset("stripe").fingerprint) == Texts{"body: /id"});
  CHECK(preset("stripe").terms.window == 96h);
  CHECK(texts(preset("svix").fingerprint) ==
        Texts{"header: svix-id, otherwise: {header: webhook-id}"});
  CHECK(preset("svix").terms.window == 96h);
  CHECK(texts(preset("sns").fingerprint) ==
        Texts{"header: x-amz-sns-message-id, otherwise: {body: /MessageId}"});
  CHECK(preset("sns").terms.window == 24h);
}

TEST_CASE("A call's preset replays the answer, with the id of the call that asks") {
  for (const std::string name : {"json-rpc", "mcp"}) {
    CAPTURE(name);
    const auto policy = preset(name, "  scope: shared\n");
    CHECK_FALSE(policy.on_duplicate);
    REQUIRE(policy.replay.set.size() == 1);
    CHECK(policy.replay.set[0].at_text == "/id");
    CHECK(policy.replay.set[0].from.text == "body: /id");
    CHECK(policy.on_missing == policies::OnMissing::pass);
    CHECK(policy.in_flight.action == policies::InFlightRule::Action::wait);
    CHECK(policy.outcome.rules.size() == 2);
    CHECK(problems("policies:\n- {name: p, preset: " + name + "}\n").size() == 1);
  }
  const auto rpc = preset("json-rpc", "  scope: shared\n");
  CHECK(texts(rpc.fingerprint) == Texts{"client_key: Idempotency-Key"});
  CHECK(texts(rpc.payload) == Texts{"target: true", "body: /method", "body: /params"});
  const auto mcp = preset("mcp", "  scope: shared\n");
  CHECK(texts(mcp.fingerprint) ==
        Texts{"body: /params/_meta/idempotency-key, otherwise: {header: idempotency-key}"});
  CHECK(texts(mcp.payload) ==
        Texts{"body: /method", "body: /params/name", "body: /params/arguments"});
}

TEST_CASE("A key that the policy has itself wins, as a whole and wherever it stands") {
  const auto policy = preset("stripe",
                             "  window: 1h\n  fingerprint: [{header: a}]\n"
                             "  respond: {held: {status: 202}}\n");
  CHECK(policy.terms.window == 1h);
  CHECK(texts(policy.fingerprint) == Texts{"header: a"});
  CHECK(answer(policy, Refusal::held).status == 202);
  CHECK(!policy.respond[static_cast<std::size_t>(Refusal::in_flight)]);
  CHECK(policy.on_duplicate->status == 200);
  const auto before = loaded("policies:\n- window: 1h\n  name: p\n  preset: stripe\n");
  CHECK(before.policies.at(0).terms.window == 1h);
  CHECK(preset("stripe", "  overrides: [{where: {body: /type, equals: a}, window: 1h}]\n")
            .overrides.at(0)
            .policy->in_flight.action == policies::InFlightRule::Action::wait);
}

TEST_CASE("A preset is the keys that it is said to stand for") {
  std::ifstream file(EXAMPLES_DIR "/../README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  for (const std::string& name : preset_names()) {
    CAPTURE(name, preset_keys(name));
    // The keys of all stand there once, behind those of each.
    const std::string keys = preset_keys(name);
    const bool call = name == "json-rpc" || name == "mcp";
    const std::string all = keys.substr(keys.find(call ? "in_flight:" : "on_duplicate:"));
    const std::string own = keys.substr(0, keys.size() - all.size());
    CHECK(readme.str().find("# preset: " + name + "\n" + own) != std::string::npos);
    const std::string whose = call ? "# json-rpc and mcp\n" : "# every sender\n";
    CHECK(readme.str().find(whose + all) != std::string::npos);
  }
  CHECK(preset_keys("jenkins").empty());
}

TEST_CASE("A preset that is none is one problem") {
  const auto wrong = [](const std::string& text) {
    return problems("policies:\n- {name: p, preset: " + text + "}\n");
  };
  CHECK(wrong("strip") ==
        Texts{"policies[0].preset: expected alertmanager, cloudevents, github, stripe, svix, "
              "sns, json-rpc or mcp, found \"strip\"; did you mean \"stripe\"?"});
  CHECK(wrong("[stripe]") ==
        Texts{"policies[0].preset: expected alertmanager, cloudevents, github, stripe, svix, "
              "sns, json-rpc or mcp, found a list"});
}

TEST_CASE("What does not go with a preset is told where the preset is named") {
  const std::string yaml = "policies:\n- name: p\n  match: {methods: [GET]}\n  preset: stripe\n";
  const auto result = load(head + yaml, "f.yaml", environment_of());
  REQUIRE(!result);
  REQUIRE(result.error().size() == 1);
  const Problem& problem = result.error()[0];
  CHECK(problem.path == "policies[0].fingerprint[0].body");
  CHECK(problem.line == 6);
  CHECK(problem.source == "  preset: stripe");
  CHECK(problem.column == 11);
}

TEST_CASE("A preset does not replay, and needs a scope to do so") {
  CHECK(problems("policies:\n- {name: p, preset: github, on_duplicate: replay}\n").size() == 1);
  CHECK(problems("policies:\n- {name: p, preset: github, on_duplicate: replay, scope: shared}\n") ==
        Texts{});
}

}  // namespace
}  // namespace onceproxy::config
