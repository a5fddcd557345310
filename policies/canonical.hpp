// The canonical form of JSON values: RFC 8785 for member order, white space and strings, and exact
// decimal values for numbers. A selector's modifiers are applied at the same time. Pure.
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

/// Appends `text` after the selector's modifiers, in this order: trim (white space of ASCII), lower
/// (letters of ASCII), round (if all of it is a JSON number).
void append_modified_text(const Selector& selector, std::string_view text, std::string& out);

/// Appends the value in canonical form. The modifiers apply to every string and number in it, at
/// any depth, but not to member names. `sort` is ignored here.
void append_canonical(const JsonTree& tree, JsonTree::Index value, const Selector& selector,
                      std::string& out);

}  // namespace onceproxy::policies
