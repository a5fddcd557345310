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

/// The first of that name.
inline std::optional<std::string_view> value_of(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  if (found == fields.end()) return std::nullopt;
  return found->value;
}

/// As it came: nghttp2 has checked that it is a request (RFC 9113, section 8.3.1), that no field
/// belongs to a connection, and that names and values consist of what they may.
struct RequestHead {
  std::string method;
  std::string scheme;
  /// :authority, or else Host; may be empty.
  std::string authority;
  /// :path. Empty for CONNECT.
  std::string path;
  /// Without those that begin with a colon.
  Fields fields;
};

}  // namespace onceproxy::http2
