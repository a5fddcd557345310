// Paths in normal form (RFC 3986 6.2.2): unreserved characters decoded, the hexadecimal digits of
// what stays encoded in upper case, dot segments removed, repeated slashes merged. Policies match
// the normal form, so that no spelling of a path walks round one; what is forwarded is the path
// as it came. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace onceproxy::policies {

enum class PathError {
  not_absolute,       ///< does not begin with '/'
  bad_encoding,       ///< '%' without two hexadecimal digits
  encoded_delimiter,  ///< %2F, %5C or %00
};

/// `path` has no query. Where it is in normal form already (the usual case) the result views
/// `path`; else it views `scratch`, which is overwritten. `pass_encoded_slashes` lets
/// encoded delimiters pass, kept encoded (limits.encoded_slashes: pass); %00 is refused even so.
tl::expected<std::string_view, PathError> normalize_path(std::string_view path,
                                                         std::string& scratch,
                                                         bool pass_encoded_slashes = false);

}  // namespace onceproxy::policies
