// Header field names: which are names at all, and which are not the operator's to use. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::config {

/// RFC 9110 5.6.2: what a field name or a method is made of.
bool is_token(std::string_view text);

/// Fields that say how a message ends or belong to the connection: onceproxy writes them.
bool is_framing_field(std::string_view name);

/// What keeps a name from being one that a client's request can carry.
std::optional<std::string> wrong_request_field(std::string_view name);

/// What keeps a name from being one that a rule about answers can ask.
std::optional<std::string> wrong_asked_field(std::string_view name);

/// What keeps a name from being one that a fixed answer may set.
std::optional<std::string> wrong_answer_field(std::string_view name);

/// What keeps a name from being one of a stored answer's fields.
std::optional<std::string> wrong_stored_field(std::string_view name);

/// What keeps a text from being a field's value in an answer. A value with a line break would be a
/// second field, or a second answer.
std::optional<std::string> wrong_field_value(std::string_view value);

}  // namespace onceproxy::config
