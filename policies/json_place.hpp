// Where in the text of a JSON document a value stands, so that it alone can be replaced and every
// other byte stays as it came. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// From the value's first byte to behind its last.
struct JsonPlace {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The value that a pointer without `*` names; nothing where there is none, or where `text` is not
/// a JSON document as JsonTree reads it.
std::optional<JsonPlace> find_place(std::string_view text, std::span<const std::string> pointer);

}  // namespace onceproxy::policies
