// Percent-encoding (RFC 3986 2.1): the place that encodes and decodes it for paths, forms, encoded
// fields, and the targets of the admin port. (The status message of gRPC has its own encoding, in
// proxy/grpc/wire.) Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policies/ascii.hpp"
#include "store/hex.hpp"

namespace onceproxy::policies {

/// Characters that are never encoded (RFC 3986 2.3).
constexpr bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/// The byte of the %XX at the front of `text`; -1 if there is none.
constexpr int percent_byte(std::string_view text) {
  if (text.size() < 3 || text.front() != '%') return -1;
  const int high = store::hex_value(text[1]);
  const int low = store::hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/// Decodes every %XX, once. A '%' without two hexadecimal digits, and '+', are literal.
std::string decode_percent(std::string_view text);

/// The same; nothing if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> decode_percent_strictly(std::string_view text);

/// Appends %XX, with upper-case digits.
void append_percent(char byte, std::string& out);

/// Encodes everything except unreserved characters as %XX, for one segment of a path or one value
/// of a query.
std::string encode_percent(std::string_view text);

}  // namespace onceproxy::policies
