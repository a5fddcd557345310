// Decodes Content-Encoding: gzip, x-gzip and deflate (RFC 9110 8.4.1), also several in a row.
// Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// The codings in Content-Encoding, in the order in which they were applied, without identity. The
/// views are into the fields' values.
std::vector<std::string_view> codings(std::span<const Field> fields);

/// Whether the request's Content-Encoding names a coding other than identity.
inline bool is_encoded(const RequestView& request) {
  return request.header("content-encoding") != nullptr && !codings(request.headers).empty();
}

/// Decodes `body`; nothing if a coding is unknown, if the data are invalid, truncated or followed
/// by other data, or if a step yields more than `decoded_bytes_max`. An empty body is empty with
/// any coding.
std::optional<std::string> decode_content(std::span<const Field> fields, std::string_view body,
                                          std::size_t decoded_bytes_max);
inline std::optional<std::string> decode_content(const RequestView& request, std::string_view body,
                                                 std::size_t decoded_bytes_max) {
  return decode_content(request.headers, body, decoded_bytes_max);
}

}  // namespace onceproxy::policies
