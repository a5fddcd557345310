// The first character of a document that some reader would not skip: by it a body is taken for JSON
// or XML where nothing says what it is. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace onceproxy::policies {

/// Looks through byte order marks, through the bytes of UTF-16 and UTF-32, and through white space
/// that only lenient readers skip. NUL where nothing else is there.
inline char first_character(std::string_view text) {
  static constexpr std::string_view skipped("\0 \t\n\r\v\f\xEF\xBB\xBF\xFE\xFF", 12);
  const std::size_t first = text.find_first_not_of(skipped);
  return first == std::string_view::npos ? '\0' : text[first];
}

}  // namespace onceproxy::policies
