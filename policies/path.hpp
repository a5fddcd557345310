// Paths in normal form (RFC 3986 6.2.2): unreserved characters are decoded, the hexadecimal digits
// of other escapes are in upper case, dot segments are removed, and repeated slashes are merged.
// Policies match the normal form, so that no spelling of a path bypasses a policy; the path is
// forwarded unchanged. Pure.
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

/// `path` has no query. If it is already in normal form (the usual case), the result is a view of
/// `path`; otherwise of `scratch`, which is overwritten. With `pass_encoded_slashes`, encoded
/// delimiters are accepted and stay encoded (limits.encoded_slashes: pass); %00 is still refused.
tl::expected<std::string_view, PathError> normalize_path(std::string_view path,
                                                         std::string& scratch,
                                                         bool pass_encoded_slashes = false);

}  // namespace onceproxy::policies
