// Reads YAML text into Settings, or reports all problems in it. Pure except for the environment,
// which is passed in. Thread-safe.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/settings.hpp"

namespace onceproxy::config {

/// One problem in a configuration.
struct Problem {
  std::string file;
  /// The line, from 1; 0 if the problem has no position.
  std::size_t line = 0;
  std::size_t column = 0;
  /// The path in the document, such as "policies[0].match.methods".
  std::string path;
  std::string message;
  /// The text of the line; empty if there is none.
  std::string source;

  /// `file:line:column: path: message`, the line, and a caret under the column.
  std::string text() const;
};

/// The problems for programs: a list of objects with file, line, column, path and message.
boost::json::value json_of(const std::vector<Problem>& problems);

/// Reads an environment variable; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
Environment process_environment();

/// All problems are found in one pass, in the file's order.
tl::expected<Settings, std::vector<Problem>> load(std::string_view text, std::string_view file,
                                                  const Environment& environment);

/// Reads the listeners of a `listeners_file`, which contains a list like `delivery.listeners`.
tl::expected<policies::ListenerList, std::vector<Problem>> load_listeners(
    std::string_view text, std::string_view file, const Environment& environment);

/// The JSON Schema (2020-12) of the whole file, as JSON text.
std::string json_schema();

/// Every key of the file for people to read, as Markdown: config/REFERENCE.md.
std::string reference();

}  // namespace onceproxy::config
