// The password file that a configuration may name for its database. Reads the file. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/settings.hpp"

namespace onceproxy::cli {

/// What a start would stumble over: the file cannot be read, or its first line is empty. Nothing
/// if the configuration names none.
std::vector<config::Problem> check_password_file(const config::Settings& settings,
                                                 const std::string& config_file);

}  // namespace onceproxy::cli
