// Fields of HTTP/2 messages, and the head of a request. Plain values.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::http2 {

struct Field {
  /// In lower case.
  std::string name;
  std::string value;
};
using Fields = std::vector<Field>;

/// The first field of that name.
inline std::optional<std::string_view> value_of(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  if (found == fields.end()) return std::nullopt;
  return found->value;
}

/// The head of a request. nghttp2 has checked that it is a valid request (RFC 9113, section 8.3.1),
/// that it has no field that belongs to a connection, and that names and values contain only
/// allowed characters.
struct RequestHead {
  std::string method;
  std::string scheme;
  /// The value of :authority, or else of Host; may be empty.
  std::string authority;
  /// The value of :path. Empty for CONNECT.
  std::string path;
  /// All fields except pseudo-fields.
  Fields fields;
};

}  // namespace onceproxy::http2
