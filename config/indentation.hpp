// Whether a line's indentation is why a document cannot be parsed, in words for its author: the
// parser only says which token it misses. Looks at block style alone; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config/reading.hpp"

namespace onceproxy::config {

/// What is wrong with the indentation of line `number` (from 1), as the lines before it go; nothing
/// where it fits.
std::optional<std::string> wrong_indentation(const Reading& reading, std::size_t number);

}  // namespace onceproxy::config
