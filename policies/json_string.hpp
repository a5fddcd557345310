// JSON strings: decoding escapes, writing them canonically, and the order of member names in RFC
// 8785. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// Appends the content between the quotes of a JSON string, with its escapes decoded. Returns false
/// for an escape that RFC 8259 does not define. `raw` must be valid UTF-8. An escape of half a
/// surrogate pair (RFC 8259 8.2) becomes three bytes, as its code point in UTF-8, which nothing
/// else yields.
bool append_unescaped(std::string_view raw, std::string& out);

/// The position of the first character that a JSON string must escape (a quote, a backslash, a
/// control character below U+0020), or the text's size.
std::size_t first_to_escape(std::string_view text);

/// Appends a JSON string with its quotes, as in RFC 8785 3.2.2.2.
void append_json_string(std::string_view text, std::string& out);

/// The same for text from append_unescaped. Half a surrogate pair, which RFC 8785 does not define,
/// is written as by ECMAScript's JSON.stringify: \ud83d.
void append_unescaped_json_string(std::string_view text, std::string& out);

/// Whether `a` sorts before `b` by UTF-16 code units (RFC 8785 3.2.3). Both are valid UTF-8, or
/// contain halves of surrogate pairs, which sort before every complete pair.
bool utf16_less(std::string_view a, std::string_view b);

/// A number for the first eight bytes, in the same order: if the numbers of two texts differ, they
/// have the order of the texts; if they are equal, the texts may still differ.
std::uint64_t utf16_prefix(std::string_view text);

}  // namespace onceproxy::policies
