// RequestView: a request as policies see it, free of any socket: views into memory that somebody
// else keeps alive. The http side fills it from a validated head; `explain` from a file.
#pragma once

#include <span>
#include <string_view>

namespace onceproxy::policies {

/// One header field. The name's case is as it came; comparisons ignore it (RFC 9110 5.1).
struct Field {
  std::string_view name;
  std::string_view value;
};

struct RequestView {
  std::string_view method;
  /// The request target as it came, path and query, without scheme and authority.
  std::string_view target;
  /// The path in normal form (see path.hpp), without the query.
  std::string_view path;
  /// What follows the first '?', without it; empty when there is none.
  std::string_view query;
  std::span<const Field> headers;

  /// The first field of that name, or nullptr.
  const Field* header(std::string_view name) const;
};

/// ASCII case-insensitive equality, as field names are compared.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace onceproxy::policies
