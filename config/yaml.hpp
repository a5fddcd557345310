// Parses YAML text into a tree of values with their positions. Nothing is dropped: repeated keys,
// tags, quotes and second documents are kept, which YAML::Node drops. Environment variables are
// replaced here, after parsing, so that a value can never become YAML. Pure except for the
// environment.
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

/// A value with its position. An alias has the position where it is written and shares the anchor's
/// value.
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
  /// A scalar that is not quoted or contains a variable: it may be a number or a flag.
  bool plain = false;
  /// A problem with it has been reported; readers do not report another one.
  bool broken = false;
  std::string text;
  std::vector<YamlItem> items;
  std::vector<YamlEntry> entries;
  /// The number of values in it, including itself and the values of aliases.
  std::size_t size = 1;
};

/// The document, or nothing if the text is not a document (the problems contain the reason). A
/// problem that leaves the structure clear (a repeated key, an unset variable) does not stop the
/// parsing.
std::shared_ptr<const YamlItem> parse_yaml(std::string_view text, const Environment& environment,
                                           Reading& reading);

}  // namespace onceproxy::config
