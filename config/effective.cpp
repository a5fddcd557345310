#include "config/effective.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "config/node.hpp"
#include "config/presets.hpp"
#include "config/redact.hpp"
#include "config/settings_reader.hpp"

namespace onceproxy::config {
namespace {

/// The document with the keys of every policy's preset in its policies.
std::shared_ptr<const YamlValue> with_presets(Reading& reading, const YamlItem& root) {
  auto out = std::make_shared<YamlValue>(*root.value);
  for (YamlEntry& entry : out->entries) {
    if (entry.key != "policies") continue;
    auto policies = std::make_shared<YamlValue>(*entry.item.value);
    for (YamlItem& policy : policies->items) {
      policy = with_preset(Node(reading, policy, "")).item();
    }
    entry.item.value = std::move(policies);
  }
  return out;
}

/// If the schema leaves a choice, the one that is of the value's kind; itself otherwise.
const Json* schema_for(const Json& value, const Json& schema) {
  const Json* const choices = json_member(schema, "anyOf");
  if (choices == nullptr || json_member(schema, "properties") != nullptr) return &schema;
  for (const Json& choice : *choices->if_array()) {
    if (value.if_object() != nullptr && json_member(choice, "properties") != nullptr)
      return &choice;
    if (value.if_array() != nullptr && json_member(choice, "items") != nullptr) return &choice;
  }
  return nullptr;
}

/// What stands for a key that is left out; null: nothing does.
Json standard_of(const Json& schema) {
  if (const Json* const standard = json_member(schema, "default")) return *standard;
  // A map is what its keys have by default, unless it is off without them.
  const bool always_there = json_member(schema, "properties") != nullptr &&
                            json_member(schema, "required") == nullptr &&
                            json_member(schema, "$comment") == nullptr;
  return always_there ? Json(JsonObject()) : Json();
}

void fill(Json& value, const Json& any) {
  const Json* const schema = schema_for(value, any);
  if (schema == nullptr) return;
  const Json* const properties = json_member(*schema, "properties");
  const Json* const items = json_member(*schema, "items");
  if (value.if_array() != nullptr && items != nullptr) {
    for (Json& item : *value.if_array()) fill(item, *items);
  }
  // A selector has only the modifiers that fit its source.
  const bool is_selector = json_member(*schema, "oneOf") != nullptr;
  if (value.if_object() == nullptr || properties == nullptr || is_selector) return;
  for (const auto& [name, member_schema] : *properties->if_object()) {
    // An override replaces the keys that it has, and no others.
    if (name == "overrides") continue;
    if (json_member(value, name) == nullptr) {
      Json standard = standard_of(member_schema);
      if (standard.is_null()) continue;
      set_member(value, name, std::move(standard));
    }
    fill(*json_member(value, name), member_schema);
  }
}

bool has_client_key(const Json& fingerprint) {
  if (fingerprint.if_array() == nullptr) return fingerprint == Json("client_key");
  return std::ranges::any_of(*fingerprint.if_array(), [](const Json& selector) {
    return json_member(selector, "client_key") != nullptr;
  });
}

/// Only the action `wait` has a timeout (in_flight_reader.cpp).
void drop_idle_timeout(Json& policy) {
  Json* const in_flight = json_member(policy, "in_flight");
  if (in_flight == nullptr || in_flight->if_object() == nullptr) return;
  const Json* const action = json_member(*in_flight, "action");
  if (action == nullptr || *action != Json("wait")) in_flight->as_object().stable_erase("timeout");
}

/// What says nothing if the client does not wait, or there is more than the upstream
/// (delivery_reader.cpp).
void drop_idle_delivery(Json& policy) {
  Json* const delivery = json_member(policy, "delivery");
  if (delivery == nullptr || delivery->if_object() == nullptr) return;
  const bool to_upstream = json_member(*delivery, "to") != nullptr;
  for (const char* const key : {"attempts", "backoff"}) {
    if (!to_upstream) delivery->as_object().stable_erase(key);
  }
  if (to_upstream) delivery->as_object().stable_erase("removed_listeners");
  const Json* const acknowledge = json_member(*delivery, "acknowledge");
  if (acknowledge == nullptr || *acknowledge == Json("stored")) {
    delivery->as_object().stable_erase("acknowledge_timeout");
  }
}

/// Defaults that depend on other keys (policy_reader.cpp).
void fill_policy(Json& policy) {
  const auto like = [&](const char* name, const char* other) {
    Json* const value = json_member(policy, other);
    if (json_member(policy, name) == nullptr && value != nullptr) set_member(policy, name, *value);
  };
  like("namespace", "name");
  like("on_unreadable", "on_missing");
  drop_idle_timeout(policy);
  drop_idle_delivery(policy);
  if (json_member(policy, "payload") != nullptr) return;
  JsonArray payload;
  Json* const fingerprint = json_member(policy, "fingerprint");
  if (fingerprint != nullptr && has_client_key(*fingerprint)) {
    for (const char* source : {"method", "target", "content"}) {
      payload.push_back(JsonObject({{source, true}}));
    }
  }
  set_member(policy, "payload", std::move(payload));
}

/// RocksDB's keys have defaults, but with PostgreSQL there is no RocksDB (store_reader.cpp).
void drop_other_store(Json& document) {
  Json* const store = json_member(document, "store");
  if (store == nullptr || json_member(*store, "postgres") == nullptr) return;
  store->as_object().stable_erase("rocksdb");
  store->as_object().stable_erase("clock_ahead_max");
}

}  // namespace

Json effective(std::string_view text, const Environment& environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reading reading(text, "", {});
  const auto root = parse_yaml(text, hiding(environment), reading);
  if (!root) return {};
  Json out = redacted(*with_presets(reading, *root));
  if (out.if_object() == nullptr) return out;
  fill(out, settings().schema());
  drop_other_store(out);
  Json* const policies = json_member(out, "policies");
  if (policies == nullptr || policies->if_array() == nullptr) return out;
  for (Json& policy : *policies->if_array()) {
    if (policy.if_object() != nullptr) fill_policy(policy);
  }
  return out;
}

}  // namespace onceproxy::config
