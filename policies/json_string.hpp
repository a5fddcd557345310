// The strings of JSON: reading their escapes, writing them canonically, and the order RFC 8785
// gives to member names. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// Appends what stands between the quotes of a JSON string, escapes undone. False for an escape
/// that RFC 8259 does not know. `raw` is valid UTF-8. An escape of half a surrogate pair (RFC 8259
/// 8.2) becomes three bytes, as UTF-8 would write its code point; nothing else becomes these bytes.
bool append_unescaped(std::string_view raw, std::string& out);

/// Where the first character stands that a JSON string must escape (a quote, a backslash, a control
/// character below U+0020), or the text's size.
std::size_t first_to_escape(std::string_view text);

/// Appends a JSON string, quotes included, as RFC 8785 3.2.2.2 writes it.
void append_json_string(std::string_view text, std::string& out);

/// The same for text that append_unescaped made. Half a surrogate pair, of which RFC 8785 says
/// nothing, is written as ECMAScript's JSON.stringify writes it: \ud83d.
void append_unescaped_json_string(std::string_view text, std::string& out);

/// Whether `a` sorts before `b` by UTF-16 code units (RFC 8785 3.2.3). Both are valid UTF-8, or
/// hold halves of surrogate pairs, which sort before every whole pair.
bool utf16_less(std::string_view a, std::string_view b);

/// A number for the first eight bytes, in that order too: where two texts have different ones, that
/// of the lesser is lesser; where they have one, they may still differ.
std::uint64_t utf16_prefix(std::string_view text);

}  // namespace onceproxy::policies
