// The files that a configuration names, other than the store: policies that are in force, tokens,
// certificates and keys, and who may read them. Reads them, changes nothing.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"
#include "proxy/cli/doctor/findings.hpp"

namespace onceproxy::cli {

/// What of a good configuration protects nothing.
std::vector<doctor::Finding> check_policies(const config::Settings& settings);

/// `config_file`: as messages name it.
std::vector<doctor::Finding> check_files(const config::Settings& settings,
                                         const std::string& config_file);

}  // namespace onceproxy::cli
