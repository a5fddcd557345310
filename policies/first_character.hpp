// The first character of a document that some reader would not skip. It determines whether a body
// without a declared type counts as JSON or XML. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace onceproxy::policies {

/// Skips byte order marks, the additional bytes of UTF-16 and UTF-32, and white space that only
/// lenient readers skip. NUL if there is nothing else.
inline char first_character(std::string_view text) {
  static constexpr std::string_view skipped("\0 \t\n\r\v\f\xEF\xBB\xBF\xFE\xFF", 12);
  const std::size_t first = text.find_first_not_of(skipped);
  return first == std::string_view::npos ? '\0' : text[first];
}

}  // namespace onceproxy::policies
