// JSON Pointers (RFC 6901) with one addition: a reference token `*` stands for every element of an
// array. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// The reference tokens of a pointer, unescaped; nothing when it is none ("a/b", "/~2").
std::optional<std::vector<std::string>> parse_pointer(std::string_view text);

/// Whether one of the tokens is `*`.
bool has_wildcard(std::span<const std::string> pointer);

/// The value a pointer without `*` names, or nullopt. "-" and indexes with leading zeros name none.
std::optional<JsonTree::Index> resolve(const JsonTree& tree, JsonTree::Index from,
                                       std::span<const std::string> pointer);

/// Appends what a pointer with `*` names, in canonical form: an array of what the rest of the
/// pointer names in each element, so that `*` twice yields arrays in an array. False when it
/// meets something other than an array, or an element that lacks the rest: leaving one out would
/// make requests equal that are not.
bool append_every(const JsonTree& tree, JsonTree::Index from, std::span<const std::string> pointer,
                  const Selector& selector, std::string& out);

}  // namespace onceproxy::policies
