#include <set>

#include "config/settings_reader.hpp"
#include "config/yaml.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

/// The schema as a tree: JSON is YAML, and the reader's own parser keeps the tests small.
std::shared_ptr<const YamlItem> schema_tree() {
  const std::string text = json_schema();
  Reading reading(text, "schema", {});
  auto root = parse_yaml(
      text, [](const std::string&) { return std::string(); }, reading);
  REQUIRE(root);
  return root;
}

const YamlItem* member(const YamlItem& item, const std::string& key) {
  for (const YamlEntry& entry : item.value->entries) {
    if (entry.key == key) return &entry.item;
  }
  return nullptr;
}

/// Every key that the schema knows, as the flow YAML that leads to it: `a: {b: [{c: ` and the
/// brackets that close it.
struct Way {
  std::string path;
  std::string before;
  std::string after;
};

void collect(const YamlItem& schema, const Way& way, std::vector<Way>& out) {
  if (const YamlItem* properties = member(schema, "properties")) {
    for (const YamlEntry& entry : properties->value->entries) {
      const Way inner{way.path + "." + entry.key, way.before + "{" + entry.key + ": ",
                      "}" + way.after};
      out.push_back(inner);
      collect(entry.item, inner, out);
    }
  }
  if (const YamlItem* items = member(schema, "items")) {
    collect(*items, {way.path + "[0]", way.before + "[", "]" + way.after}, out);
  }
  if (const YamlItem* any = member(schema, "anyOf")) {
    for (const YamlItem& each : any->value->items) collect(each, way, out);
  }
  if (const YamlItem* more = member(schema, "additionalProperties")) {
    collect(*more, {way.path + ".x", way.before + "{x: ", "}" + way.after}, out);
  }
}

std::vector<Way> ways() {
  std::vector<Way> out;
  collect(*schema_tree(), {}, out);
  return out;
}

bool reader_refuses_key(const Way& way, const std::string& key) {
  // The value is of a shape that no key takes; what is said about the key itself counts.
  for (const std::string& text : problems_in(way.before + "[[[]]]" + way.after)) {
    if (text.find("unknown key \"" + key + "\"") != std::string::npos) return true;
    if (text.find("`" + key + "` cannot be overridden") != std::string::npos) return true;
    if (text.find("`" + key + "` is a field of a request; an answer has") != std::string::npos) {
      return true;
    }
  }
  return false;
}

std::string last(const std::string& path) {
  return path.substr(path.rfind('.') + 1);
}

TEST_CASE("Every key in the schema is one that the reader takes") {
  const auto all = ways();
  CHECK(all.size() > 80);
  for (const Way& way : all) {
    CAPTURE(way.path);
    CHECK(!reader_refuses_key(way, last(way.path)));
  }
}

TEST_CASE("Every key that the reader takes is in the schema") {
  // Any key of anywhere, whether the schema or the reader knows it, put anywhere.
  const auto all = ways();
  std::set<std::string> keys{"nonsense"};
  for (const KeyNames& table : settings().names)
    keys.insert(table.names.begin(), table.names.end());
  std::map<std::string, std::set<std::string>> known;
  std::map<std::string, Way> maps;
  for (const Way& way : all) {
    keys.insert(last(way.path));
    const std::string parent = way.path.substr(0, way.path.rfind('.'));
    known[parent].insert(last(way.path));
    const std::string tail = "{" + last(way.path) + ": ";
    maps[parent] = {parent, way.before.substr(0, way.before.size() - tail.size()),
                    way.after.substr(1)};
  }
  for (const auto& [parent, names] : known) {
    for (const std::string& key : keys) {
      CAPTURE(parent, key);
      const Way way{parent + "." + key, maps[parent].before + "{" + key + ": ",
                    "}" + maps[parent].after};
      CHECK(reader_refuses_key(way, key) == !names.contains(key));
    }
  }
}

TEST_CASE("The schema is one of 2020-12 and closed everywhere") {
  const auto root = schema_tree();
  CHECK(member(*root, "$schema")->value->text == "https://json-schema.org/draft/2020-12/schema");
  CHECK(member(*root, "additionalProperties")->value->text == "false");
  REQUIRE(member(*root, "required"));
  CHECK(member(*root, "required")->value->items.size() == 2);
}

/// A key without a description would have an empty entry in the reference.
void check_descriptions(const YamlItem& schema, const std::string& path) {
  if (const YamlItem* properties = member(schema, "properties")) {
    for (const YamlEntry& entry : properties->value->entries) {
      const std::string inner = path + "." + entry.key;
      CAPTURE(inner);
      REQUIRE(member(entry.item, "description"));
      const std::string& text = member(entry.item, "description")->value->text;
      CHECK(text.size() >= 10);
      CHECK(text.ends_with("."));
      check_descriptions(entry.item, inner);
    }
  }
  for (const char* name : {"items", "additionalProperties"}) {
    if (const YamlItem* item = member(schema, name)) check_descriptions(*item, path + "[]");
  }
  if (const YamlItem* any = member(schema, "anyOf")) {
    for (const YamlItem& each : any->value->items) check_descriptions(each, path);
  }
}

TEST_CASE("Each key has a description, and most have the default that the reader uses") {
  const auto root = schema_tree();
  check_descriptions(*root, "");
  const auto fallback = [&](std::initializer_list<const char*> path) {
    const YamlItem* at = root.get();
    for (const char* key : path) at = member(*member(*at, "properties"), key);
    const YamlItem* value = member(*at, "default");
    return value == nullptr ? std::string("none") : value->value->text;
  };
  CHECK(fallback({"workers"}) == "0");
  CHECK(fallback({"listen"}) == "none");
  CHECK(fallback({"upstream", "response_timeout"}) == "30s");
  CHECK(fallback({"upstream", "address"}) == "none");
  CHECK(fallback({"store", "clock_ahead_max"}) == "30d");
  CHECK(fallback({"store", "rocksdb", "sync"}) == "all");
  CHECK(fallback({"store", "rocksdb", "max_bytes"}) == "4GiB");
  CHECK(fallback({"limits", "encoded_slashes"}) == "reject");
  CHECK(fallback({"log", "level"}) == "info");
}

}  // namespace
}  // namespace onceproxy::config
