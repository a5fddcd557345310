// Text as a person sees it: UTF-8, columns, values quoted in messages, and the words that
// the author probably meant. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::config {

/// Bytes of the code point that `text` begins with (RFC 3629: no overlong forms, no surrogates);
/// 0 when it is not valid UTF-8.
std::size_t utf8_length(std::string_view text);

/// The column, from 1, of the byte at `offset`: code points are counted, a tab is one.
std::size_t column_of(std::string_view line, std::size_t offset);

/// `"value"` for a message: control characters escaped, passwords masked, long values cut.
std::string quote(std::string_view text);

/// `a, b or c`.
std::string one_of(const std::vector<std::string>& words);

/// Insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` is most likely a misspelling of; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace onceproxy::config
