// Recognizes JSON locations in the syntax of other tools: JSONPath (`$.alerts[0].id`), jq
// (`.alerts[].id`), JavaScript (`order.id`), a URI's fragment (`#/a/b`), and texts that look like a
// JSON Pointer and select nothing (`/alerts[0]`, `/alerts/-`). Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// The intended JSON Pointer; nothing if `text` is a correct pointer or has no known syntax.
std::optional<std::string> pointer_meant(std::string_view text);

}  // namespace onceproxy::config
