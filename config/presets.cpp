#include "config/presets.hpp"

#include <array>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "config/selector_reader.hpp"

namespace onceproxy::config {
namespace {

// Senders of webhooks treat 2xx as delivered and retry after 5xx; some drop a delivery after 4xx.
// So a duplicate gets 200. A duplicate of a request under way waits for the outcome of the first
// one. If that outcome is unknown, it gets 503 and is delivered again; with 409 a delivery whose
// first attempt then fails would be lost. A receiver that answers 4xx, for example because of a
// wrong secret, has not accepted the delivery either. If that were remembered, the next attempt
// would get 200 and never reach the receiver. The same holds for 307 and 308.
constexpr std::string_view keys_of_all = R"(on_duplicate: {status: 200}
outcome: {release: [307, 308, 4xx, 5xx]}
in_flight: {action: wait, timeout: 10s}
respond:
  in-flight: {status: 503}
  held: {status: 503}
)";

// The same for a sender that does what the answer says: a duplicate gets the first one's.
constexpr std::string_view keys_of_answered = R"(on_duplicate: replay
scope: shared
outcome: {release: [307, 308, 4xx, 5xx]}
in_flight: {action: wait, timeout: 10s}
respond:
  in-flight: {status: 503}
  held: {status: 503}
)";

struct Preset {
  std::string_view name;
  std::string_view keys;
  /// What the version before selected, if that was something else (presets.hpp).
  std::string_view earlier = {};
  std::string_view common = keys_of_all;
};

// Each begins with where the delivery went, since senders give one id to the deliveries of an event
// to several endpoints, and each endpoint must get its own.
constexpr std::array<Preset, 15> presets{{
    // One notification of one group. Its window is below the default repeat_interval of 4h, so
    // that reminders pass. An alert is never refused for its form: Alertmanager drops it at 400.
    {"alertmanager", R"(fingerprint:
  - target: normal
  - body: /receiver
  - body: /groupKey
  - body: /status
  - {body: /truncatedAlerts, default: 0}
  - {body: /alerts/*, take: [/fingerprint, /status, /startsAt], sort: true}
on_missing: pass
window: 1h
)",
     R"(fingerprint:
  - body: /receiver
  - body: /groupKey
  - body: /status
  - {body: /alerts/*/fingerprint, sort: true}
  - {body: /alerts/*/status, sort: true}
  - {body: /alerts/*/startsAt, sort: true}
)"},
    // Source and id name an event (CloudEvents 1.0, 3.1.1): of binary mode in headers, whose values
    // are percent-encoded (HTTP binding 1.0.2, 3.1.3.2), of structured mode in the body.
    {"cloudevents", R"(fingerprint:
  - target: normal
  - {header: ce-source, decode: percent, otherwise: {body: /source}}
  - {header: ce-id, decode: percent, otherwise: {body: /id}}
window: 24h
)",
     R"(fingerprint:
  - {header: ce-source, otherwise: {body: /source}}
  - {header: ce-id, otherwise: {body: /id}}
)"},
    // Azure's: an array of events in its own schema, an array of CloudEvents, or one of them. A
    // failed delivery comes again for a day.
    {"eventgrid", R"(fingerprint:
  - target: normal
  - {header: aeg-subscription-name, default: ""}
  - body: /*
    take: [/topic, /id]
    sort: true
    otherwise:
      body: /*
      take: [/source, /id]
      sort: true
      otherwise: {body: "", take: [/source, /id]}
window: 48h
)"},
    // Redelivered by hand or by a script, which GitHub offers for three days.
    {"github", R"(fingerprint:
  - target: normal
  - header: x-github-delivery
window: 72h
)",
     R"(fingerprint:
  - header: x-github-delivery
)"},
    // Grafana's alerting notifies as Alertmanager does, and adds the organisation.
    {"grafana", R"(fingerprint:
  - target: normal
  - {body: /orgId, default: 1}
  - body: /receiver
  - body: /groupKey
  - body: /status
  - {body: /truncatedAlerts, default: 0}
  - {body: /alerts/*, take: [/fingerprint, /status, /startsAt], sort: true}
on_missing: pass
window: 1h
)"},
    // Five attempts within 20 minutes, under one X-Webhook-Id; a relay may drop headers.
    {"pagerduty", R"(fingerprint:
  - target: normal
  - {header: x-webhook-id, otherwise: {body: /event/id}}
window: 24h
)"},
    // Google's: in headers if the payload is unwrapped, else in the body. What is not
    // acknowledged comes again for as long as the subscription keeps it, seven days by default.
    {"pubsub-push", R"(fingerprint:
  - target: normal
  - {header: x-goog-pubsub-subscription-name, otherwise: {body: /subscription}}
  - {header: x-goog-pubsub-message-id, otherwise: {body: /message/messageId}}
window: 7d
)"},
    // Sentry sends no id that outlives an attempt: Request-ID, time stamp and signature are made
    // for each. The content is the same, and may one day be that of another event: a short window.
    {"sentry", R"(fingerprint:
  - target: normal
  - header: sentry-hook-resource
  - content: true
window: 1h
)"},
    // Retried eight times within four hours. X-Shopify-Event-Id is one for all webhooks of an
    // event, of several topics, so it names no delivery.
    {"shopify", R"(fingerprint:
  - target: normal
  - header: x-shopify-webhook-id
window: 24h
)"},
    // The Events API: three retries within minutes, or for a day if delayed events are on. What
    // has no event_id (the verification of the address, commands, buttons) is not retried, and
    // passes.
    {"slack", R"(fingerprint:
  - target: normal
  - body: /event_id
on_missing: pass
window: 48h
)"},
    // Raw deliveries have the ids in headers alone, and a relay may drop headers. Of two
    // subscriptions with one address each is delivered. Confirmations belong to none yet.
    {"sns", R"(fingerprint:
  - target: normal
  - header: x-amz-sns-subscription-arn
    otherwise:
      body: /UnsubscribeURL
      decode: percent
      capture: '[?&]SubscriptionArn=([^&]+)'
      default: ""
  - {header: x-amz-sns-message-id, otherwise: {body: /MessageId}}
window: 24h
)",
     R"(fingerprint:
  - {header: x-amz-sns-message-id, otherwise: {body: /MessageId}}
)"},
    // The specification's schedule of retries ends after 76 hours.
    {"standard-webhooks", R"(fingerprint:
  - target: normal
  - header: webhook-id
window: 96h
)"},
    // Delivered again for up to three days; another day for the last one to be late.
    {"stripe", R"(fingerprint:
  - target: normal
  - body: /id
window: 96h
)",
     R"(fingerprint:
  - body: /id
)"},
    // The names of Svix, or those of Standard Webhooks. The last retry comes after a day or so, and
    // what failed can be sent again by hand for some days.
    {"svix", R"(fingerprint:
  - target: normal
  - {header: svix-id, otherwise: {header: webhook-id}}
window: 96h
)",
     R"(fingerprint:
  - {header: svix-id, otherwise: {header: webhook-id}}
)"},
    // Twilio does what the answer says (TwiML), so a duplicate must get it too. What has no token
    // passes: a call must not fail for that.
    {"twilio",
     R"(fingerprint:
  - target: normal
  - header: i-twilio-idempotency-token
on_missing: pass
window: 24h
)",
     {},
     keys_of_answered},
}};

// Calls of JSON-RPC, whose caller waits for the answer to its own call: a duplicate gets the stored
// one, with the id of its own envelope (JSON-RPC 2.0, 5). What has no key passes: queries,
// notifications, and batches, of which no single call could be named. An error with status 200 may
// say that nothing was done, or leave it open (5.1). Whose answers are replayed to whom is for the
// policy's `scope` to say.
constexpr std::string_view keys_of_calls = R"(in_flight: {action: wait, timeout: 10s}
on_missing: pass
outcome:
  rules:
    - {where: {body: /error/code, in: [-32700, -32600, -32601, -32602]}, is: release}
    - {where: {body: /error/code, regex: '-32603|-320\d\d'}, is: ambiguous}
replay:
  set: [{at: /id, from: {body: /id}}]
)";

constexpr std::array<Preset, 2> calls{{
    // The key is the client's; the envelope's id is not compared, since a retry has another.
    {"json-rpc", R"(fingerprint: client_key
payload:
  - target: true
  - body: /method
  - {body: /params, default: "{}"}
)"},
    // A call of a tool of the Model Context Protocol. Its key stands beside its arguments, where a
    // host that resends the call keeps it, or in the header.
    {"mcp", R"(fingerprint:
  - {body: /params/_meta/idempotency-key, otherwise: {header: idempotency-key}}
payload:
  - body: /method
  - body: /params/name
  - {body: /params/arguments, default: "{}"}
)"},
}};

using Entries = std::vector<YamlEntry>;

std::shared_ptr<const YamlItem> parsed(const std::string& yaml) {
  Reading reading(yaml, "preset", {});
  return parse_yaml(
      yaml, [](const std::string&) { return std::nullopt; }, reading);
}

const std::map<std::string, std::shared_ptr<const YamlItem>>& trees() {
  static const auto all = [] {
    std::map<std::string, std::shared_ptr<const YamlItem>> out;
    for (const std::string& name : preset_names()) out.emplace(name, parsed(preset_keys(name)));
    return out;
  }();
  return all;
}

/// Reads what stands in this file alone: a fault in it is a fault of the program.
std::vector<policies::Selector> read_selectors(const Node& list) {
  static const auto kind = selectors(Sources::all, Empty::refused);
  auto value = kind.read(list);
  if (!value || list.reading().has_problems()) {
    throw std::logic_error("a preset's earlier keys cannot be read");
  }
  return *std::move(value);
}

YamlItem moved(const YamlItem& item, Place place);

std::shared_ptr<const YamlValue> moved(const YamlValue& value, Place place) {
  auto out = std::make_shared<YamlValue>(value);
  for (YamlItem& item : out->items) item = moved(item, place);
  for (YamlEntry& entry : out->entries) {
    entry.key_place = place;
    entry.item = moved(entry.item, place);
  }
  return out;
}

YamlItem moved(const YamlItem& item, Place place) {
  return {place, moved(*item.value, place)};
}

/// A name that is none has been reported: what it would have brought is not also missing.
Entries unknown_keys(Place place) {
  auto broken = std::make_shared<YamlValue>();
  broken->broken = true;
  return {{"fingerprint", place, {place, broken}}, {"on_duplicate", place, {place, broken}}};
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  names.reserve(presets.size() + calls.size());
  for (const Preset& preset : presets) names.emplace_back(preset.name);
  for (const Preset& preset : calls) names.emplace_back(preset.name);
  return names;
}

std::string preset_keys(const std::string& name) {
  for (const Preset& preset : presets) {
    if (preset.name == name) return std::string(preset.keys) + std::string(preset.common);
  }
  for (const Preset& preset : calls) {
    if (preset.name == name) return std::string(preset.keys) + std::string(keys_of_calls);
  }
  return "";
}

std::string earlier_preset_keys(const std::string& name) {
  for (const Preset& preset : presets) {
    if (preset.name == name) return std::string(preset.earlier);
  }
  return "";
}

std::shared_ptr<const policies::Selection> earlier_selection(const Node& node,
                                                             const policies::Policy& policy) {
  const auto preset = node.get("preset");
  const std::string keys = preset ? earlier_preset_keys(preset->text()) : "";
  if (keys.empty()) return nullptr;
  Reading reading(keys, "preset", {});
  const auto root = parse_yaml(
      keys, [](const std::string&) { return std::nullopt; }, reading);
  if (!root) throw std::logic_error("a preset's earlier keys are no YAML");
  const Node earlier(reading, *root, "");
  auto out = std::make_shared<policies::Selection>();
  const auto select = [&](const char* key, const std::vector<policies::Selector>& now) {
    if (node.get(key)) return now;
    const auto list = earlier.get(key);
    return list ? read_selectors(*list) : std::vector<policies::Selector>();
  };
  out->fingerprint = select("fingerprint", policy.fingerprint);
  out->scope = select("scope", policy.scope);
  out->payload = select("payload", policy.payload);
  return out;
}

Node with_preset(const Node& policy) {
  const auto preset = policy.get("preset");
  if (!preset) return policy;
  const Place place = preset->item().place;
  const auto found = trees().find(preset->text());
  const Entries given =
      found == trees().end() ? unknown_keys(place) : moved(*found->second->value, place)->entries;
  auto value = std::make_shared<YamlValue>(*policy.item().value);
  for (const YamlEntry& entry : given) {
    if (!policy.get(entry.key)) value->entries.push_back(entry);
  }
  return Node(policy.reading(), {policy.item().place, std::move(value)}, policy.path());
}

}  // namespace onceproxy::config
