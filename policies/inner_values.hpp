// Values inside values: the value that a JSON Pointer selects in a document, and the modifiers of a
// selector that look inside it. Modifiers are always applied in the same order: take, decode, json,
// capture, trim, lower, round, sort.
//
// `decode`, `json` and `capture` apply to text: to each element if a pointer with `*`, `take` or a
// repeated name found several. The field is missing if the value is not text (`capture` also
// accepts numbers), or if an expression does not match. Text that cannot be decoded, and text that
// begins like JSON and is not valid, is unreadable, because the service may accept it.
//
// Cost is linear in the text. Recursion is bounded by the pointers, which the configuration sets,
// and by JsonTree::depth_max. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "policies/fields.hpp"
#include "policies/json.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// The type of the appended value. Nothing: the field is missing, and `out` may contain a part of
/// it. The error never has the kind `missing`.
using Found = tl::expected<std::optional<ValueType>, SelectError>;

/// Whether the selector looks inside texts.
inline bool looks_inside(const Selector& selector) {
  return selector.decode != Decode::none || selector.json || selector.capture;
}

/// The value that the selector's pointer selects in the document.
Found append_member(const Selector& selector, const JsonTree& tree, std::string& out);

/// A selected text.
Found append_text(const Selector& selector, std::string_view text, std::string& out);

/// A default. It replaces the result of `take`, `decode`, `json` and `capture`: if that would be a
/// JSON value, the default is read as JSON if it is valid JSON.
Found append_default(const Selector& selector, std::string_view text, std::string& out);

/// The texts of one name. A single value is text; several are an array, so that `a=1&a=2` differs
/// from `a=1` and `a=2`, regardless of which one the service reads. If there is none, the field is
/// missing.
Found append_texts(const Selector& selector, std::span<const std::string> texts, std::string& out);

}  // namespace onceproxy::policies
