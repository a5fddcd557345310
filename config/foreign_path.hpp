// Paths in the syntax of other routers: `:id`, `<int:id>`, `[id]`, `$id`, `{id:[0-9]+}`,
// `{id}.json`, `^/orders/(.+)$`. As a template such a text covers nothing that a client sends, and
// would leave the service unprotected without a word. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// Why `path` is no template but something else, with its spelling here; nothing where it is not
/// known to be another's.
std::optional<std::string> foreign_path(std::string_view path);

/// The same for an expression that holds a template's capture: `{id}` is only text to RE2.
std::optional<std::string> template_in_expression(std::string_view expression);

}  // namespace onceproxy::config
