// Whole files into memory, with the system's own reason where that fails.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace onceproxy::cli {

/// The error is a sentence that names the file.
tl::expected<std::string, std::string> read_file(const std::string& path);

}  // namespace onceproxy::cli
