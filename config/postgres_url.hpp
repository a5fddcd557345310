// Connection URLs of libpq (PostgreSQL 15, 34.1.1.2): checks them without connecting, and masks
// passwords. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// The error, as a continuation of the quoted text.
std::optional<std::string> not_a_postgres_url(std::string_view url);

/// Whether the text has the scheme of such a URL, valid or not.
bool is_postgres_url(std::string_view text);

/// Whether it has a password, after the user or as a parameter.
bool has_password(std::string_view url);

/// The URL with `[redacted]` in place of each password. For every text that is_postgres_url()
/// accepts.
std::string without_password(std::string_view url);

/// Replaces every character of a password by * in a text that may contain such URLs, so that
/// columns stay the same.
std::string mask_passwords(std::string_view text);

}  // namespace onceproxy::config
