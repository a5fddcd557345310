// Writes JSON documents and forms without some of their parts, for content with parts that change
// in every attempt, such as a time of sending or a trace id. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"

namespace onceproxy::policies {

/// Appends the document in canonical form without the values that the pointers select. A segment
/// `*` is every element of an array. A pointer that finds nothing has no effect; a removed element
/// of an array leaves no gap. The root is never removed.
void append_without(const JsonTree& tree, std::span<const std::vector<std::string>> pointers,
                    std::string& out);

/// Whether one of the pointers consists of that name, so that the fields of a form with the name
/// are left out.
bool leaves_out(std::span<const std::vector<std::string>> pointers, std::string_view name);

}  // namespace onceproxy::policies
