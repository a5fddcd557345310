// What the reference says about the type of a value, from its JSON Schema: how it is written, what
// it is, its units, its default. Understands the schemas that the tables make, and no others. Pure;
// thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

/// What GitHub makes of a heading's text for links to it.
std::string anchor_of(std::string_view heading);

/// A link in Markdown to a heading of the same document.
std::string link_to(const std::string& text, std::string_view heading);

/// Text in backquotes; for a cell of a table, so a | is escaped.
std::string code(std::string_view text);

/// A JSON value as YAML would have it on one line.
std::string flow_yaml(const Json& value);

/// The parts of the $comment of a schema: it may give a range, a name of the type, a version.
std::vector<std::string> comments_of(const Json& schema);

/// How a value is written: "duration", "all | none", "[selector, …]".
std::string syntax_of(const Json& schema);

/// What a value is, in Markdown: "[duration](#duration), from 1ms to 24h".
std::string type_of(const Json& schema);

/// The units that a value is written in; empty where it has none.
std::string unit_of(const Json& schema);

}  // namespace onceproxy::config
