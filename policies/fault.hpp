// Fault: the position and reason of an error in a text. A value.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace onceproxy::policies {

struct Fault {
  /// The byte of the error, from 0.
  std::size_t at = 0;
  /// A literal that describes it: "a member name is repeated".
  std::string_view what;

  /// "a member name is repeated at byte 17"
  std::string text() const { return std::string(what) + " at byte " + std::to_string(at); }
};

}  // namespace onceproxy::policies
