// The tables from which the configuration is read. A Kind is a kind of value: it reads a value,
// writes its JSON Schema, and prints its default. A Key is a row: name, member, kind, description.
// Keys is the table of one map. The reader and the schema are both made from these rows, so they
// always have the same keys; config/REFERENCE.md is generated from the same schema (reference.cpp).
// Immutable once made; thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/node.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;
using telemetry::json_member;
using telemetry::json_text;
using telemetry::JsonArray;
using telemetry::JsonObject;
using telemetry::set_member;

template <typename T>
struct Kind {
  /// Returns nothing if there is a problem, which has been reported.
  std::function<std::optional<T>(const Node&)> read;
  std::function<Json()> schema;
  /// The value as a default in the schema; null: it has no default there.
  std::function<Json(const T&)> print = [](const T&) { return Json(); };
  /// The tables of the maps inside the value.
  std::vector<KeyNames> names;
};

template <typename Owner>
struct Key {
  std::string name;
  bool required = false;
  std::function<void(const Node&, Owner&)> read;
  std::function<Json()> schema;
  std::vector<KeyNames> names;
};

template <typename Owner>
struct Keys {
  std::string place;
  std::vector<Key<Owner>> rows;
  /// Keys of other tables that a user may expect here, with a hint for each.
  std::vector<std::string> misplaced = {};
  std::string misplaced_message = {};
  /// The key that is meant if a single value is written instead of the map.
  std::string single = {};
};

template <typename T>
struct WithoutOptional {
  using type = T;
};
template <typename T>
struct WithoutOptional<std::optional<T>> {
  using type = T;
};

enum class Need { optional, required };

/// A row. `member` is a pointer to a member of the owner, or a function that returns a reference to
/// the value's place in the owner. The default is the value in a new owner.
template <typename Owner, typename Member, typename T>
Key<Owner> key(std::string name, Member member, Kind<T> kind, std::string description,
               Need need = Need::optional) {
  using Held = std::remove_cvref_t<std::invoke_result_t<Member, Owner&>>;
  Key<Owner> row;
  row.name = std::move(name);
  row.required = need == Need::required;
  row.names = kind.names;
  row.read = [member, kind](const Node& node, Owner& owner) {
    if (auto value = kind.read(node)) std::invoke(member, owner) = *std::move(value);
  };
  row.schema = [member, kind, description = std::move(description), required = row.required] {
    Json schema = kind.schema();
    set_member(schema, "description", description);
    Owner fresh{};
    Held& held = std::invoke(member, fresh);
    Json value;
    if constexpr (std::is_same_v<Held, typename WithoutOptional<Held>::type>) {
      if (!required) value = kind.print(held);
    } else if (held && !required) {
      value = kind.print(*held);
    }
    if (!value.is_null()) set_member(schema, "default", std::move(value));
    if constexpr (!std::is_same_v<Held, typename WithoutOptional<Held>::type>) {
      // If another map is left out, its keys have their defaults.
      if (!held && json_member(schema, "properties"))
        set_member(schema, "$comment", "absent by default");
    }
    return schema;
  };
  return row;
}

/// The row of a key that was added in a later version than the first, such as "0.2.0". The schema
/// contains it in a comment, which the reference shows.
template <typename Owner>
Key<Owner> since(const std::string& version, Key<Owner> row) {
  row.schema = [schema = std::move(row.schema), version] {
    Json json = schema();
    const std::string said = telemetry::json_member_text(json, "$comment");
    set_member(json, "$comment", (said.empty() ? "" : said + "; ") + "since " + version);
    return json;
  };
  return row;
}

/// Reports a key that is in no row. Returns the key of this map that was probably meant, if any.
std::string unknown_key(const Node::Entry& entry, const KeyNames& here);

/// Reports a value that is not a map. `single`: the key for which a single value was probably
/// meant, or empty.
void expected_map(const Node& node, const std::string& single);

template <typename Owner>
KeyNames names_of(const Keys<Owner>& keys) {
  KeyNames names{keys.place, {}};
  for (const auto& row : keys.rows) names.names.push_back(row.name);
  return names;
}

/// Fills `owner` from a map. Returns false if the node is not a map, which has been reported.
template <typename Owner>
bool read_keys(const Node& node, const Keys<Owner>& keys, Owner& owner) {
  if (!node.is_map()) {
    expected_map(node, keys.single);
    return false;
  }
  std::vector<std::string> meant;
  for (const Node::Entry& entry : node.entries()) {
    const Key<Owner>* found = nullptr;
    for (const auto& row : keys.rows) {
      if (row.name == entry.key) found = &row;
    }
    if (found != nullptr) {
      found->read(entry.value, owner);
    } else if (std::find(keys.misplaced.begin(), keys.misplaced.end(), entry.key) !=
               keys.misplaced.end()) {
      entry.key_problem("`" + entry.key + "` " + keys.misplaced_message);
    } else {
      meant.push_back(unknown_key(entry, names_of(keys)));
    }
  }
  for (const auto& row : keys.rows) {
    // A misspelt key must be only one problem.
    const bool misspelt = std::find(meant.begin(), meant.end(), row.name) != meant.end();
    if (row.required && !misspelt && !node.get(row.name)) {
      node.problem("`" + row.name + "` is missing");
    }
  }
  return true;
}

template <typename Owner>
Json schema_of(const Keys<Owner>& keys) {
  Json properties = JsonObject();
  JsonArray required;
  for (const auto& row : keys.rows) {
    set_member(properties, row.name, row.schema());
    if (row.required) required.emplace_back(row.name);
  }
  Json schema = JsonObject({{"type", "object"}, {"additionalProperties", false}});
  if (!required.empty()) set_member(schema, "required", std::move(required));
  set_member(schema, "properties", std::move(properties));
  return schema;
}

/// A map with its own table. `check` checks the whole map after every key has been read.
template <typename Owner>
Kind<Owner> section(Keys<Owner> keys, std::function<void(const Node&, Owner&)> check = nullptr) {
  const auto table = std::make_shared<const Keys<Owner>>(std::move(keys));
  Kind<Owner> kind;
  kind.read = [table, check](const Node& node) -> std::optional<Owner> {
    Owner owner{};
    if (!read_keys(node, *table, owner)) return std::nullopt;
    if (check) check(node, owner);
    return owner;
  };
  kind.schema = [table] { return schema_of(*table); };
  kind.names.push_back(names_of(*table));
  for (const auto& row : table->rows) {
    kind.names.insert(kind.names.end(), row.names.begin(), row.names.end());
  }
  return kind;
}

/// Reports a value that is not a list of `what`.
void expected_list(const Node& node, const std::string& what);

enum class Empty { allowed, refused };

/// A list. Items with problems are left out.
template <typename T>
Kind<std::vector<T>> list(std::string what, Kind<T> item, Empty empty = Empty::allowed) {
  Kind<std::vector<T>> kind;
  kind.names = item.names;
  kind.read = [what, item, empty](const Node& node) -> std::optional<std::vector<T>> {
    if (!node.is_list()) {
      // If the items are maps, a single value cannot be an item.
      item.names.empty() ? expected_list(node, what) : node.expected("a list of " + what);
      return std::nullopt;
    }
    std::vector<T> out;
    const std::vector<Node> nodes = node.items();
    if (nodes.empty() && empty == Empty::refused) {
      node.problem("the list of " + what + " is empty");
      return std::nullopt;
    }
    for (const Node& child : nodes) {
      if (auto value = item.read(child)) out.push_back(*std::move(value));
    }
    return out;
  };
  kind.schema = [item, empty] {
    Json schema = JsonObject({{"type", "array"}, {"items", item.schema()}});
    if (empty == Empty::refused) set_member(schema, "minItems", 1);
    return schema;
  };
  kind.print = [item](const std::vector<T>& values) {
    JsonArray out;
    for (const T& value : values) out.push_back(item.print(value));
    return out;
  };
  return kind;
}

}  // namespace onceproxy::config
