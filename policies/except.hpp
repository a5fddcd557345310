// JSON documents and forms without some of their parts, for content that counts but for what
// changes with every attempt: a time of sending, an id of the trace. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"

namespace onceproxy::policies {

/// Appends the document in canonical form without the values that the pointers name. A segment `*`
/// is every element of an array. What a pointer names nothing of is there as it is; an element that
/// is left out of an array leaves no gap. The root is never left out.
void append_without(const JsonTree& tree, std::span<const std::vector<std::string>> pointers,
                    std::string& out);

/// Whether one of the pointers is that name alone: of a form, that the fields of the name are left
/// out.
bool leaves_out(std::span<const std::vector<std::string>> pointers, std::string_view name);

}  // namespace onceproxy::policies
