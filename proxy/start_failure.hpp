// Reports a failed start like the rest of the log: as JSON lines if the configuration selects JSON
// or cannot be read, as text if it selects text or if stderr is a terminal. Called before the first
// thread exists, or after the last has ended.
#pragma once

#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace onceproxy {

/// At most fifty problems, each with its position.
void log_problems(const std::vector<config::Problem>& problems);

/// The reason why the program does not start, if no log was set up yet. `config_text`: the readable
/// part of the configuration; may be empty.
void tell_failure(std::string_view config_text, std::string_view why);
void tell_failure(std::string_view config_text, const std::vector<config::Problem>& problems);

}  // namespace onceproxy
