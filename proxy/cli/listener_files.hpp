// The files of listeners that a configuration's policies may name. Reads the files. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/settings.hpp"

namespace onceproxy::cli {

/// What is wrong with them: one that cannot be read, and what is in it. Each file once.
std::vector<config::Problem> check_listener_files(const config::Settings& settings,
                                                  const std::string& config_file);

}  // namespace onceproxy::cli
