// Describes the type of a value for the reference, from its JSON Schema: its syntax, its meaning,
// its units, its default. It understands only the schemas that the tables make. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

/// The anchor that GitHub generates for a heading.
std::string anchor_of(std::string_view heading);

/// A link in Markdown to a heading of the same document.
std::string link_to(const std::string& text, std::string_view heading);

/// Text in backquotes; for a cell of a table, so a | is escaped.
std::string code(std::string_view text);

/// A JSON value as YAML on one line.
std::string flow_yaml(const Json& value);

/// The parts of a schema's $comment: a range, the name of the type, a version.
std::vector<std::string> comments_of(const Json& schema);

/// The syntax of a value: "duration", "all | none", "[selector, …]".
std::string syntax_of(const Json& schema);

/// The meaning of a value, in Markdown: "[duration](#duration), from 1ms to 24h".
std::string type_of(const Json& schema);

/// The units of a value; empty if it has none.
std::string unit_of(const Json& schema);

}  // namespace onceproxy::config
