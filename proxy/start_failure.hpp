// A start that fails, told as the rest of the log is: JSON lines where the configuration asks for
// JSON or cannot be read, text where it asks for text or where a person sits before the terminal.
// Called before the first thread exists, or after the last has ended.
#pragma once

#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace onceproxy {

/// At most fifty, each with its place.
void log_problems(const std::vector<config::Problem>& problems);

/// Why the program does not start, where no log was set up yet. `config_text`: what could be read
/// of the configuration; empty: nothing.
void tell_failure(std::string_view config_text, std::string_view why);
void tell_failure(std::string_view config_text, const std::vector<config::Problem>& problems);

}  // namespace onceproxy
