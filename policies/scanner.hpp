// Scanner: reads characters and digits from the beginning of a text. Not thread-safe; it has a view
// of its text.
#pragma once

#include <cstddef>
#include <string_view>

#include "policies/ascii.hpp"

namespace onceproxy::policies {

/// Removes what it reads from the beginning of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  /// Reads one of `characters`; 0 if the text continues with another one.
  char any_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return 0;
    const char found = rest_.front();
    rest_.remove_prefix(1);
    return found;
  }

  /// Reads exactly `count` digits, and then `end` if it is not 0; -1 if they are not there.
  int digits(std::size_t count, char end = 0) {
    if (rest_.size() < count + (end == 0 ? 0 : 1)) return -1;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return -1;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    if (end != 0 && any_of({&end, 1}) == 0) return -1;
    return value;
  }

  std::string_view all_digits() {
    std::size_t size = 0;
    while (size < rest_.size() && is_digit(rest_[size])) ++size;
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }

 private:
  std::string_view rest_;
};

}  // namespace onceproxy::policies
