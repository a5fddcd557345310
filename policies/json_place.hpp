// Finds the position of a value in the text of a JSON document, so that it can be replaced without
// changing any other byte. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// From the value's first byte to the byte after its last.
struct JsonPlace {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The value that a pointer without `*` selects; nothing if there is none, or if `text` is not a
/// valid document for JsonTree.
std::optional<JsonPlace> find_place(std::string_view text, std::span<const std::string> pointer);

}  // namespace onceproxy::policies
