// Functions for texts in messages: UTF-8, columns, quoting of values, and suggestions for misspelt
// words. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::config {

/// The number of bytes of the first code point of `text` (RFC 3629: no overlong forms, no
/// surrogates); 0 if it is not valid UTF-8.
std::size_t utf8_length(std::string_view text);

/// The column, from 1, of the byte at `offset`: code points are counted, and a tab counts as one.
std::size_t column_of(std::string_view line, std::size_t offset);

/// `"value"` for a message: control characters escaped, passwords masked, long values cut.
std::string quote(std::string_view text);

/// `a, b or c`.
std::string one_of(const std::vector<std::string>& words);

/// The number of insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate of which `word` is most likely a misspelling; empty if none is similar.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace onceproxy::config
