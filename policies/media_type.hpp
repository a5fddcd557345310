// The type of a body that a request declares: Content-Type (RFC 9110 8.3). If the field is
// repeated, it is unknown which one the service uses. Therefore a condition tests each of them, and
// each element of a list. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// How a body is compared.
enum class BodyKind {
  unsaid,     ///< no Content-Type, or an empty one
  json,       ///< application/json, text/json, or a type that ends in +json (RFC 6839 3.1)
  form,       ///< application/x-www-form-urlencoded
  multipart,  ///< multipart/form-data (RFC 7578)
  other,      ///< anything else, and several fields that differ
};
BodyKind body_kind(const RequestView& request);

/// A parameter of a field's value (RFC 9110 5.6.6), such as the boundary of a Content-Type.
struct Parameter {
  std::string_view name;
  /// The value without its quotes. Inside quotes the escapes `\"` and `\\` are decoded; any other
  /// backslash is literal, because old clients write a file's path unescaped.
  std::string text;
};
/// The parameters after the first semicolon, in order. Parts that are not `name=text` are skipped.
std::vector<Parameter> parameters(std::string_view value);
/// The text of the only parameter with that name; nothing if there is none, or more than one.
std::optional<std::string> only_parameter(const std::vector<Parameter>& parameters,
                                          std::string_view name);

/// A media type in a condition.
struct MediaType {
  /// "application/json", in lower case.
  std::string name;
  /// The required parameters: names in lower case, values without quotes.
  std::vector<std::pair<std::string, std::string>> parameters;

  bool operator==(const MediaType&) const = default;
};

/// Reads `type/subtype; name=value` (RFC 9110 8.3.1) strictly, unlike parameters(); nothing if
/// `text` is not a media type.
std::optional<MediaType> parse_media_type(std::string_view text);

/// Whether all parameters of `asked` are in `given` with the same values. The value of `charset` is
/// compared without case (RFC 9110 8.3.2), every other one exactly.
bool has_parameters(const MediaType& given, const MediaType& asked);

/// Whether the request declares this type for its body. Case is ignored, and additional parameters
/// are allowed.
bool says_media_type(const RequestView& request, const MediaType& asked);

// Whether one of the fields declares it.

/// application/x-www-form-urlencoded.
bool says_form(const RequestView& request);

/// Types that count as BodyKind::json.
bool says_json(const RequestView& request);

/// application/xml, text/xml, or a type that ends in +xml (RFC 7303).
bool says_xml(const RequestView& request);

}  // namespace onceproxy::policies
