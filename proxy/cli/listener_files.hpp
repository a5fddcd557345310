// The files of listeners that a configuration's policies may name. Reads the files. Thread-safe.
#pragma once

#include <string>

#include "config/settings.hpp"
#include "proxy/cli/tls_files.hpp"

namespace onceproxy::cli {

/// What is wrong with them: one that cannot be read, what is in it, and the TLS files that it
/// names. Each file once.
TlsFindings check_listener_files(const config::Settings& settings, const std::string& config_file);

}  // namespace onceproxy::cli
