// Determines whether a document cannot be parsed because of a line's indentation, and explains it;
// the parser only reports a missing token. Handles only block style; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config/reading.hpp"

namespace onceproxy::config {

/// The error in the indentation of line `number` (from 1), compared with the lines before it;
/// nothing if it is correct.
std::optional<std::string> wrong_indentation(const Reading& reading, std::size_t number);

}  // namespace onceproxy::config
