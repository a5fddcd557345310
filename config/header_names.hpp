// Checks header field names: whether they are valid, and whether an operator may use them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// A token (RFC 9110 5.6.2), which a field name or a method must be.
bool is_token(std::string_view text);

/// Fields of the framing or the connection, which onceproxy writes itself.
bool is_framing_field(std::string_view name);

/// The reason why a client's request cannot have a field with this name.
std::optional<std::string> wrong_request_field(std::string_view name);

/// The reason why a rule about answers cannot use a field with this name.
std::optional<std::string> wrong_asked_field(std::string_view name);

/// The reason why a fixed answer cannot have a field with this name.
std::optional<std::string> wrong_answer_field(std::string_view name);

/// The reason why a stored answer cannot have a field with this name.
std::optional<std::string> wrong_stored_field(std::string_view name);

/// The reason why a text cannot be the value of a field in an answer. A value with a line break
/// would be a second field or a second answer.
std::optional<std::string> wrong_field_value(std::string_view value);

}  // namespace onceproxy::config
