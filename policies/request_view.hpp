// RequestView: a request as policies see it, free of any socket: views into memory that somebody
// else keeps alive. The http side fills it from a validated head; `explain` from a file.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// One header field. The name's case is as it came; comparisons ignore it (RFC 9110 5.1).
struct Field {
  std::string_view name;
  std::string_view value;
};

/// What the certificate says that the client proved to own when it connected.
struct ClientCertificate {
  /// The subject's alternative names that are URIs, and those that are host names.
  std::span<const std::string> uris;
  std::span<const std::string> hosts;
  /// RFC 4514.
  std::string_view subject;
  /// 64 lower-case hexadecimal digits.
  std::string_view sha256;
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
  /// nullptr: the client showed none.
  const ClientCertificate* certificate = nullptr;

  /// The first field of that name, or nullptr.
  const Field* header(std::string_view name) const;
};

/// ASCII case-insensitive equality, as field names are compared.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace onceproxy::policies
