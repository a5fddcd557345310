// RequestView: a request for policies, independent of sockets: views of memory that the caller
// keeps alive. proxy/http fills it from a validated head, and `explain` from a file.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace onceproxy::policies {

/// One header field. The name is unchanged; comparisons ignore its case (RFC 9110 5.1).
struct Field {
  std::string_view name;
  std::string_view value;
};

/// The values of the certificate that the client presented.
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
  /// The unchanged request target: path and query, without scheme and authority.
  std::string_view target;
  /// The path in normal form (see path.hpp), without the query.
  std::string_view path;
  /// The text after the first '?'; empty if there is none.
  std::string_view query;
  std::span<const Field> headers;
  /// nullptr if the client presented none.
  const ClientCertificate* certificate = nullptr;

  /// The first field with that name, or nullptr.
  const Field* header(std::string_view name) const;
};

/// ASCII case-insensitive equality, as field names are compared.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace onceproxy::policies
