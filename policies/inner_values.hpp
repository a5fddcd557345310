// Values inside values: what a JSON Pointer finds in a document, and what the modifiers of a
// selector make of the text or the JSON that was found. All modifiers apply in one order, wherever
// they are written: take, decode, json, capture, trim, lower, round, sort.
//
// `decode`, `json` and `capture` apply to text: to each element where a pointer with `*`, `take` or
// a repeated name found several. What is no text (`capture` also takes numbers) makes the field
// missing, as does an expression that does not match. Text that does not decode, and text that
// begins like JSON and is not valid, is unreadable: the service behind may read it otherwise.
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

/// What was appended; nothing: the field is not there, and `out` may hold a part of it. The error
/// is never of the kind `missing`.
using Found = tl::expected<std::optional<ValueType>, SelectError>;

/// Whether the selector looks inside texts.
inline bool looks_inside(const Selector& selector) {
  return selector.decode != Decode::none || selector.json || selector.capture;
}

/// What the selector's pointer names in the document.
Found append_member(const Selector& selector, const JsonTree& tree, std::string& out);

/// A text that was found.
Found append_text(const Selector& selector, std::string_view text, std::string& out);

/// A default. It stands for what `take`, `decode`, `json` and `capture` would have found: where
/// that is a value of JSON, for the one that it spells, where it spells one.
Found append_default(const Selector& selector, std::string_view text, std::string& out);

/// Texts of one name. One value is text; several are the array of them, so that `a=1&a=2` is
/// neither `a=1` nor `a=2`, whichever of them the service reads. None is not there.
Found append_texts(const Selector& selector, std::span<const std::string> texts, std::string& out);

}  // namespace onceproxy::policies
