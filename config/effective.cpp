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

/// Where the schema leaves a choice, the one that is of the value's kind; itself otherwise.
const Json* schema_for(const Json& value, const Json& schema) {
  const Json* const choices = schema.find("anyOf");
  if (choices == nullptr || schema.find("properties") != nullptr) return &schema;
  for (const Json& choice : *choices->items()) {
    if (value.members() != nullptr && choice.find("properties") != nullptr) return &choice;
    if (value.items() != nullptr && choice.find("items") != nullptr) return &choice;
  }
  return nullptr;
}

/// What stands for a key that is left out; null: nothing does.
Json standard_of(const Json& schema) {
  if (const Json* const standard = schema.find("default")) return *standard;
  // A map is what its keys have by default, unless it is off without them.
  const bool always_there = schema.find("properties") != nullptr &&
                            schema.find("required") == nullptr &&
                            schema.find("$comment") == nullptr;
  return always_there ? Json::object() : Json();
}

void fill(Json& value, const Json& any) {
  const Json* const schema = schema_for(value, any);
  if (schema == nullptr) return;
  const Json* const properties = schema->find("properties");
  const Json* const items = schema->find("items");
  if (value.items() != nullptr && items != nullptr) {
    for (Json& item : *value.items()) fill(item, *items);
  }
  // A selector has only the modifiers that fit its source.
  const bool is_selector = schema->find("oneOf") != nullptr;
  if (value.members() == nullptr || properties == nullptr || is_selector) return;
  for (const auto& [name, member_schema] : *properties->members()) {
    // An override replaces the keys that it has, and no others.
    if (name == "overrides") continue;
    if (value.find(name) == nullptr) {
      Json standard = standard_of(member_schema);
      if (standard.is_null()) continue;
      value.set(name, std::move(standard));
    }
    fill(*value.find(name), member_schema);
  }
}

bool has_client_key(const Json& fingerprint) {
  if (fingerprint.items() == nullptr) return fingerprint == Json("client_key");
  return std::ranges::any_of(*fingerprint.items(), [](const Json& selector) {
    return selector.find("client_key") != nullptr;
  });
}

/// Only who waits has a timeout (in_flight_reader.cpp).
void drop_idle_timeout(Json& policy) {
  Json* const in_flight = policy.find("in_flight");
  if (in_flight == nullptr || in_flight->members() == nullptr) return;
  const Json* const action = in_flight->find("action");
  if (action == nullptr || *action != Json("wait")) in_flight->remove("timeout");
}

/// Defaults that depend on other keys (policy_reader.cpp).
void fill_policy(Json& policy) {
  const auto like = [&](const char* name, const char* other) {
    Json* const value = policy.find(other);
    if (policy.find(name) == nullptr && value != nullptr) policy.set(name, *value);
  };
  like("namespace", "name");
  like("on_unreadable", "on_missing");
  drop_idle_timeout(policy);
  if (policy.find("payload") != nullptr) return;
  Json payload = Json::array();
  Json* const fingerprint = policy.find("fingerprint");
  if (fingerprint != nullptr && has_client_key(*fingerprint)) {
    for (const char* source : {"method", "target", "content"}) {
      payload.push_back(Json::object({{source, true}}));
    }
  }
  policy.set("payload", std::move(payload));
}

/// RocksDB's keys have defaults, but with PostgreSQL there is no RocksDB (store_reader.cpp).
void drop_other_store(Json& document) {
  Json* const store = document.find("store");
  if (store == nullptr || store->members() == nullptr || store->find("postgres") == nullptr) return;
  store->remove("rocksdb");
  store->remove("clock_ahead_max");
}

}  // namespace

Json effective(std::string_view text, const Environment& environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reading reading(text, "", {});
  const auto root = parse_yaml(text, hiding(environment), reading);
  if (!root) return {};
  Json out = redacted(*with_presets(reading, *root));
  if (out.members() == nullptr) return out;
  fill(out, settings().schema());
  drop_other_store(out);
  Json* const policies = out.find("policies");
  if (policies == nullptr || policies->items() == nullptr) return out;
  for (Json& policy : *policies->items()) {
    if (policy.members() != nullptr) fill_policy(policy);
  }
  return out;
}

}  // namespace onceproxy::config
