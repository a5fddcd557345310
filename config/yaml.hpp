// YAML text to a tree of values with their places, and nothing dropped on the way: repeated keys,
// tags, quotes and second documents are seen, which YAML::Node forgets. Environment variables are
// put in here, after parsing, so that a value can never become YAML. Pure but for the environment.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "config/reading.hpp"

namespace onceproxy::config {

struct YamlValue;

/// A value where it stands. An alias stands where it is written and shares the anchor's value.
struct YamlItem {
  Place place;
  std::shared_ptr<const YamlValue> value;
};

struct YamlEntry {
  std::string key;
  Place key_place;
  YamlItem item;
};

struct YamlValue {
  enum class Kind { nothing, scalar, list, map } kind = Kind::nothing;
  /// A scalar that is not quoted, or that a variable was put into: it may be a number or a flag.
  bool plain = false;
  /// A problem with it has been reported; readers do not report another.
  bool broken = false;
  std::string text;
  std::vector<YamlItem> items;
  std::vector<YamlEntry> entries;
  /// How many values it holds, aliases followed, itself included.
  std::size_t size = 1;
};

/// The document, or nothing when the text is none (problems tell why). Problems that leave the
/// shape of the document clear (a repeated key, an unset variable) do not stop it.
std::shared_ptr<const YamlItem> parse_yaml(std::string_view text, const Environment& environment,
                                           Reading& reading);

}  // namespace onceproxy::config
