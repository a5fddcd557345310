// Content-Encoding undone: gzip, x-gzip and deflate (RFC 9110 8.4.1), also several in a row.
// Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// Whether the request's Content-Encoding names a coding other than identity.
bool is_encoded(const RequestView& request);

/// `body` with the request's codings undone; nothing when one is unknown, the data are broken,
/// cut off or followed by something else, or any step yields more than `decoded_bytes_max`.
/// An empty body is empty whatever its coding.
std::optional<std::string> decode_content(const RequestView& request, std::string_view body,
                                          std::size_t decoded_bytes_max);

}  // namespace onceproxy::policies
