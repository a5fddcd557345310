// Whole files into memory, with the system's own reason if that fails.
#pragma once

#include <iosfwd>
#include <string>
#include <tl/expected.hpp>

namespace onceproxy::cli {

/// What a message calls the standard input.
inline constexpr const char* standard_input = "<stdin>";

/// A file, or what `in` still holds if the path is `-`.
tl::expected<std::string, std::string> read_file(const std::string& path, std::istream& in);

/// The error is a sentence that names the file.
tl::expected<std::string, std::string> read_file(const std::string& path);

}  // namespace onceproxy::cli
