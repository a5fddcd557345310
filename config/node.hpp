// Node: a value of the document with its path, and where to report problems. All readers use it. It
// is cheap to copy and valid during one load().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml.hpp"

namespace onceproxy::config {

class Node {
 public:
  Node(Reading& reading, YamlItem item, std::string path)
      : reading_(&reading), item_(std::move(item)), path_(std::move(path)) {}

  bool is_scalar() const { return value().kind == YamlValue::Kind::scalar; }
  bool is_list() const { return value().kind == YamlValue::Kind::list; }
  bool is_map() const { return value().kind == YamlValue::Kind::map; }
  /// Not quoted, or made from a variable: it may be a number or a flag.
  bool is_plain() const { return value().plain; }
  /// Whether a problem with it has already been reported.
  bool is_broken() const { return value().broken; }
  /// Empty if it is not a scalar.
  const std::string& text() const { return value().text; }

  std::vector<Node> items() const;

  struct Entry;
  std::vector<Entry> entries() const;
  /// The value of a key; nothing if there is no such key or this is not a map.
  std::optional<Node> get(std::string_view key) const;

  void problem(std::string message) const;
  /// `expected <what>, found <this>`, unless it is broken.
  void expected(std::string_view what) const;
  /// "a list", "nothing", "\"5m\"".
  std::string found() const;

  const std::string& path() const { return path_; }
  const YamlItem& item() const { return item_; }
  Reading& reading() const { return *reading_; }

 private:
  const YamlValue& value() const { return *item_.value; }

  Reading* reading_;
  YamlItem item_;
  std::string path_;
};

struct Node::Entry {
  std::string key;
  /// The key itself: problems are reported at the key, with the path of its value.
  Place key_place;
  Node value;

  void key_problem(std::string message) const {
    value.reading().problem(key_place, value.path(), std::move(message));
  }
};

}  // namespace onceproxy::config
