// Pem: certificates and keys out of files. It says what a file is that is not what it should be;
// whether the contents belong together is for credentials.hpp. Thread-safe.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/tls/handles.hpp"

namespace onceproxy::tls {

/// A regular file of at most 16 MiB. The error is a sentence's end: "cannot be read: …".
tl::expected<std::string, std::string> read_file(const std::string& path);

/// Every certificate in a file's text, at least one.
tl::expected<std::vector<Certificate>, std::string> certificates_in(const std::string& text);

/// The private key in a file's text. One that needs a password is an error, because the program
/// cannot ask for it.
tl::expected<Key, std::string> key_in(const std::string& text);

}  // namespace onceproxy::tls
