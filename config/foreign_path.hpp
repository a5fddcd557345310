// Recognizes paths in the syntax of other routers: `:id`, `<int:id>`, `[id]`, `$id`, `{id:[0-9]+}`,
// `{id}.json`, `^/orders/(.+)$`. As a template, such a text matches nothing that a client sends,
// and would silently leave the service unprotected. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// The reason why `path` is not a template, with the correct spelling; nothing if it is not known
/// to be another syntax.
std::optional<std::string> foreign_path(std::string_view path);

/// The same for an expression that contains a template's capture: `{id}` is only text in RE2.
std::optional<std::string> template_in_expression(std::string_view expression);

}  // namespace onceproxy::config
