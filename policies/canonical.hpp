// The canonical form of JSON values: RFC 8785 for member order, white space and strings, exact
// decimal values for numbers; with a selector's modifiers applied on the way. Pure.
#pragma once

#include <string>
#include <string_view>

#include "policies/json.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Whether the selector changes text or numbers.
inline bool modifies_scalars(const Selector& selector) {
  return selector.lower || selector.trim || selector.round.has_value();
}

/// Appends `text` as the selector's modifiers leave it, in this order: trim (white space of
/// ASCII), lower (letters of ASCII), round (where all of it is a JSON number).
void append_modified_text(const Selector& selector, std::string_view text, std::string& out);

/// Appends the value in canonical form. The modifiers reach every string and number in it, at any
/// depth; member names stay. `sort` is not looked at here.
void append_canonical(const JsonTree& tree, JsonTree::Index value, const Selector& selector,
                      std::string& out);

}  // namespace onceproxy::policies
