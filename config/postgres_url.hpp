// Connection URLs of libpq (PostgreSQL 15, 34.1.1.2): what can be told of one without connecting,
// and how it is shown. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// What is wrong with it, to follow the quoted text.
std::optional<std::string> not_a_postgres_url(std::string_view url);

/// Whether text is such a URL by its scheme, right or not.
bool is_postgres_url(std::string_view text);

/// Behind the user or as a parameter.
bool has_password(std::string_view url);

/// The URL with `[redacted]` in the place of each password. For whatever is_postgres_url() takes.
std::string without_password(std::string_view url);

/// Text in which such URLs may stand, with every character of a password replaced by *, so that
/// columns stay what they are.
std::string mask_passwords(std::string_view text);

}  // namespace onceproxy::config
