#include "config/effective.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using telemetry::json_text;

Json shown(const std::string& yaml) {
  return effective(head + yaml, environment_of({{"SECRET", "hunter2"}}));
}

/// The text of the value that lies behind these members; list items by their number.
std::string at(Json json, std::initializer_list<const char*> path) {
  Json* value = &json;
  for (const char* const step : path) {
    if (value->if_array() != nullptr) {
      value = &value->if_array()->at(static_cast<std::size_t>(std::atoi(step)));
    } else {
      REQUIRE(value->if_object() != nullptr);
      value = telemetry::json_member(*value, step);
      if (value == nullptr) return "absent";
    }
  }
  return json_text(*value);
}

TEST_CASE("what is left out is shown with its default, in whole sections too") {
  const Json json = shown("limits: {headers: 7}\n");
  CHECK(at(json, {"limits", "headers"}) == "7");
  CHECK(at(json, {"limits", "body_bytes"}) == "\"1MiB\"");
  CHECK(at(json, {"upstream", "response_timeout"}) == "\"30s\"");
  CHECK(at(json, {"store", "rocksdb", "sync"}) == "\"all\"");
  CHECK(at(json, {"log", "level"}) == "\"info\"");
  CHECK(at(json, {"workers"}) == "0");
  CHECK(at(json, {"policies"}) == "[]");
}

TEST_CASE("what is off where it is left out stays out") {
  const Json json = shown(with_policy(""));
  for (const char* name : {"admin", "telemetry", "tracing"}) CHECK(at(json, {name}) == "absent");
  for (const char* name : {"entity", "rate_limit"}) {
    CHECK(at(json, {"policies", "0", name}) == "absent");
  }
  CHECK(at(json, {"upstream", "tls"}) == "absent");
}

TEST_CASE("a delivery has the defaults that mean something beside its other keys") {
  const Json listeners = shown(
      with_policy("delivery: {listeners: [{name: a, address: \"h:1\", headers: {X-Key: abc}}]}"));
  CHECK(at(listeners, {"policies", "0", "delivery", "acknowledge"}) == "\"stored\"");
  CHECK(at(listeners, {"policies", "0", "delivery", "acknowledge_timeout"}) == "absent");
  CHECK(at(listeners, {"policies", "0", "delivery", "attempts"}) == "absent");
  CHECK(at(listeners, {"policies", "0", "delivery", "listeners", "0", "attempts"}) == "8");
  CHECK(at(listeners, {"policies", "0", "delivery", "listeners", "0", "headers", "X-Key"}) ==
        "\"[redacted]\"");
  const Json upstream = shown(with_policy("delivery: {to: upstream, acknowledge: all}"));
  CHECK(at(upstream, {"policies", "0", "delivery", "attempts"}) == "8");
  CHECK(at(upstream, {"policies", "0", "delivery", "acknowledge_timeout"}) == "\"10s\"");
  CHECK(at(shown(with_policy("")), {"policies", "0", "delivery"}) == "absent");
}

TEST_CASE("a policy has its defaults, those that follow from other keys included") {
  const Json json = shown(with_policy("fingerprint: client_key\non_missing: pass"));
  CHECK(at(json, {"policies", "0", "window"}) == "\"24h\"");
  CHECK(at(json, {"policies", "0", "namespace"}) == "\"p\"");
  CHECK(at(json, {"policies", "0", "on_unreadable"}) == "\"pass\"");
  CHECK(at(json, {"policies", "0", "payload"}) ==
        R"([{"method":true},{"target":true},{"content":true}])");
  CHECK(at(json, {"policies", "0", "match", "methods"}) == R"(["POST","PUT","PATCH","DELETE"])");
  CHECK(at(json, {"policies", "0", "in_flight", "action"}) == "\"reject\"");
  CHECK(at(json, {"policies", "0", "outcome", "unknown"}) == "\"retry\"");
  CHECK(at(shown(with_policy("")), {"policies", "0", "payload"}) == "[]");
}

TEST_CASE("a preset's keys are shown, and an override has only its own") {
  const Json preset = shown("policies: [{name: a, preset: stripe}]\n");
  CHECK(at(preset, {"policies", "0", "window"}) == "\"96h\"");
  CHECK(at(preset, {"policies", "0", "fingerprint"}) != "absent");
  const Json one = shown(with_policy("overrides: [{where: {body: /a, equals: b}, window: 1h}]"));
  CHECK(at(one, {"policies", "0", "overrides", "0", "window"}) == "\"1h\"");
  CHECK(at(one, {"policies", "0", "overrides", "0", "lease"}) == "absent");
}

TEST_CASE("what load reads of what is shown is what it read of the file") {
  const std::string yaml = with_policy("match: {path: /a}\nentity: {type: a, id: [{body: /a}]}");
  const std::string filled = json_text(shown(yaml), 2);
  const auto again = load(filled, "g.yaml", environment_of());
  INFO(filled);
  REQUIRE(again);
  const Settings first = loaded(yaml);
  CHECK(again->limits.body_bytes == first.limits.body_bytes);
  CHECK(again->policies[0].terms.window == first.policies[0].terms.window);
  CHECK(json_text(shown(yaml)) == json_text(effective(filled, environment_of())));
}

TEST_CASE("secrets stay hidden") {
  const std::string text =
      json_text(shown(with_policy("match: {headers: {x-token: s3cret}}\nnamespace: ${SECRET}")));
  CHECK(text.find("s3cret") == std::string::npos);
  CHECK(text.find("hunter2") == std::string::npos);
  CHECK(effective("{", environment_of()).is_null());
}

}  // namespace
}  // namespace onceproxy::config
