// Places in JSON in the syntax of other tools: JSONPath (`$.alerts[0].id`), jq (`.alerts[].id`),
// JavaScript (`order.id`), a URI's fragment (`#/a/b`), and what looks like a JSON Pointer and names
// nothing (`/alerts[0]`, `/alerts/-`). Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// The JSON Pointer that was meant; nothing where `text` is a pointer as it should be, or in no
/// syntax that is known.
std::optional<std::string> pointer_meant(std::string_view text);

}  // namespace onceproxy::config
