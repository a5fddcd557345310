// What a request says that its body is: Content-Type (RFC 9110 8.3). Where the field is repeated,
// it is unknown which one the service reads. So each counts for a condition, and a list too.
// Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// What a body is compared as.
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
  /// Without its quotes. Between quotes the escapes `\"` and `\\` are undone, and any other
  /// backslash is itself, since old clients write a file's path as it is.
  std::string text;
};
/// What stands behind the first semicolon, in order. What is not `name=text` is passed over.
std::vector<Parameter> parameters(std::string_view value);
/// The text of the only one of that name; nothing where there is none, or more than one.
std::optional<std::string> only_parameter(const std::vector<Parameter>& parameters,
                                          std::string_view name);

/// A media type that a condition asks for.
struct MediaType {
  /// "application/json", in lower case.
  std::string name;
  /// The parameters that must be there: names in lower case, values without quotes.
  std::vector<std::pair<std::string, std::string>> parameters;

  bool operator==(const MediaType&) const = default;
};

/// Reads `type/subtype; name=value` (RFC 9110 8.3.1) as its grammar has it, unlike parameters();
/// nothing where `text` is not a media type.
std::optional<MediaType> parse_media_type(std::string_view text);

/// Whether each of `asked`'s parameters is among `given`'s with the same value. The value of
/// `charset` is compared in any case (RFC 9110 8.3.2), every other one as it stands.
bool has_parameters(const MediaType& given, const MediaType& asked);

/// Whether the request says that its body is of that type. Case does not count, and parameters that
/// are not asked for may be there.
bool says_media_type(const RequestView& request, const MediaType& asked);

// Whether one of the fields says it.

/// application/x-www-form-urlencoded.
bool says_form(const RequestView& request);

/// As BodyKind::json.
bool says_json(const RequestView& request);

/// application/xml, text/xml, or a type that ends in +xml (RFC 7303).
bool says_xml(const RequestView& request);

}  // namespace onceproxy::policies
