// JSON Pointers (RFC 6901) with one addition: a reference token `*` selects every element of an
// array. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"

namespace onceproxy::policies {

/// The unescaped reference tokens of a pointer; nothing if it is not valid ("a/b", "/~2").
std::optional<std::vector<std::string>> parse_pointer(std::string_view text);

/// Whether one of the tokens is `*`.
bool has_wildcard(std::span<const std::string> pointer);

/// The value that a pointer without `*` selects, or nullopt. "-" and indexes with leading zeros
/// select nothing.
std::optional<JsonTree::Index> resolve(const JsonTree& tree, JsonTree::Index from,
                                       std::span<const std::string> pointer);

}  // namespace onceproxy::policies
