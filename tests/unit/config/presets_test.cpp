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
  CHECK(preset_names() == Texts{"alertmanager", "cloudevents", "eventgrid", "github", "grafana",
                                "pagerduty", "pubsub-push", "sentry", "shopify", "slack", "sns",
                                "standard-webhooks", "stripe", "svix", "twilio", "json-rpc",
                                "mcp"});
  for (const std::string& name : senders()) {
    CAPTURE(name);
    const auto policy = preset(name);
    CHECK(policy.fingerprint.at(0).text == "target: normal");
    if (name == "twilio") {
      // It does what the answer says.
      CHECK(!policy.on_duplicate);
    } else {
      REQUIRE(policy.on_duplicate);
      CHECK(policy.on_duplicate->status == 200);
    }
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
  const auto is = [](const std::string& name, std::chrono::hours window, Texts fields) {
    CAPTURE(name);
    const auto policy = preset(name);
    fields.insert(fields.begin(), "target: normal");
    CHECK(texts(policy.fingerprint) == fields);
    CHECK(policy.terms.window == window);
    const bool passes =
        name == "alertmanager" || name == "grafana" || name == "slack" || name == "twilio";
    CHECK((policy.on_missing == policies::OnMissing::pass) == passes);
  };
  const std::string alerts = "body: /alerts/*, take: [/fingerprint, /status, /startsAt]";
  is("alertmanager", 1h,
     {"body: /receiver", "body: /groupKey", "body: /status", "body: /truncatedAlerts", alerts});
  is("grafana", 1h,
     {"body: /orgId", "body: /receiver", "body: /groupKey", "body: /status",
      "body: /truncatedAlerts", alerts});
  for (const char* name : {"alertmanager", "grafana"}) CHECK(preset(name).fingerprint.back().sort);
  is("cloudevents", 24h,
     {"header: ce-source, decode: percent, otherwise: {body: /source}",
      "header: ce-id, decode: percent, otherwise: {body: /id}"});
  is("eventgrid", 48h,
     {"header: aeg-subscription-name",
      "body: /*, take: [/topic, /id], otherwise: {body: /*, take: [/source, /id], otherwise: "
      "{body: "
      "\"\", take: [/source, /id]}}"});
  is("github", 72h, {"header: x-github-delivery"});
  is("pagerduty", 24h, {"header: x-webhook-id, otherwise: {body: /event/id}"});
  is("pubsub-push", 168h,
     {"header: x-goog-pubsub-subscription-name, otherwise: {body: /subscription}",
      "header: x-goog-pubsub-message-id, otherwise: {body: /message/messageId}"});
  is("sentry", 1h, {"header: sentry-hook-resource", "content: true"});
  is("shopify", 24h, {"header: x-shopify-webhook-id"});
  is("slack", 48h, {"body: /event_id"});
  is("sns", 24h,
     {"header: x-amz-sns-subscription-arn, otherwise: {body: /UnsubscribeURL, decode: percent, "
      "capture: [?&]SubscriptionArn=([^&]+)}",
      "header: x-amz-sns-message-id, otherwise: {body: /MessageId}"});
  is("standard-webhooks", 96h, {"header: webhook-id"});
  is("stripe", 96h, {"body: /id"});
  is("svix", 96h, {"header: svix-id, otherwise: {header: webhook-id}"});
  is("twilio", 24h, {"header: i-twilio-idempotency-token"});
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
    const std::string whose = call ? "# json-rpc and mcp\n" : "# every sender\n";
    const bool is_shared = readme.str().find(whose + all) != std::string::npos;
    const std::string whole = is_shared ? own : own + all;
    CHECK(readme.str().find("# preset: " + name + "\n" + whole) != std::string::npos);
    CHECK(is_shared == (name != "twilio"));
  }
  CHECK(preset_keys("jenkins").empty());
}

TEST_CASE("A preset that is none is one problem") {
  const auto wrong = [](const std::string& text) {
    return problems("policies:\n- {name: p, preset: " + text + "}\n");
  };
  CHECK(
      wrong("strip") ==
      Texts{"policies[0].preset: expected alertmanager, cloudevents, eventgrid, github, grafana, "
            "pagerduty, pubsub-push, sentry, shopify, slack, sns, standard-webhooks, stripe, svix, "
            "twilio, json-rpc or mcp, found \"strip\"; did you mean \"stripe\"?"});
  CHECK(
      wrong("[stripe]") ==
      Texts{"policies[0].preset: expected alertmanager, cloudevents, eventgrid, github, grafana, "
            "pagerduty, pubsub-push, sentry, shopify, slack, sns, standard-webhooks, stripe, svix, "
            "twilio, json-rpc or mcp, found a list"});
}

TEST_CASE("A conflict with a preset is reported at the place of the preset") {
  const std::string yaml = "policies:\n- name: p\n  match: {methods: [GET]}\n  preset: stripe\n";
  const auto result = load(head + yaml, "f.yaml", environment_of());
  REQUIRE(!result);
  REQUIRE(result.error().size() == 1);
  const Problem& problem = result.error()[0];
  CHECK(problem.path == "policies[0].fingerprint[1].body");
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
