// Sequences that are read as integers, and by their names hold something else. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace onceproxy::cli {

/// A line for each sequence without `as` whose field is named like a time or like hexadecimal
/// digits. It may hold integers all the same, so this is no problem of the file.
std::vector<std::string> sequence_notes(const config::Settings& settings,
                                        const std::string& config_file);

}  // namespace onceproxy::cli
