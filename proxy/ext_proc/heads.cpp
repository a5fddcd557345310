#include "proxy/ext_proc/heads.hpp"

#include <string_view>

namespace onceproxy::ext_proc {

namespace {

using http::BadHead;

std::string_view value_of(const HeaderValue& field) {
  return field.raw_value().empty() ? field.value() : field.raw_value();
}

/// The bytes of the first line and of Host without their values.
constexpr std::size_t first_line_bytes = 32;

/// Whether the value can be part of the first line without ending it.
bool fits_on_line(std::string_view value) {
  return !value.empty() && http::valid_field_value(value);
}

/// Reserves memory for all fields.
void reserve(const HeaderMap& fields, std::string& text) {
  constexpr std::size_t beside_field = 4;
  std::size_t bytes = 0;
  for (const HeaderValue& field : fields.headers()) {
    bytes += field.key().size() + value_of(field).size() + beside_field;
  }
  text.clear();
  text.reserve(bytes + first_line_bytes);
}

/// Appends all fields except pseudo-fields and those of the body's framing, which Envoy has
/// handled. The caller writes `host`.
std::optional<BadHead> append_fields(const HeaderMap& fields, std::string& text) {
  for (const HeaderValue& field : fields.headers()) {
    const std::string& name = field.key();
    if (name.starts_with(':') || name == "host" || name == "transfer-encoding") continue;
    const std::string_view value = value_of(field);
    if (!http::valid_token(name)) {
      return BadHead{400, "field-name", "A field name is not a token."};
    }
    if (!http::valid_field_value(value)) {
      return BadHead{400, "field-value", "A field value holds a control character."};
    }
    text.append(name).append(": ").append(value).append("\r\n");
  }
  text += "\r\n";
  return std::nullopt;
}

/// The same; empty if there is none.
std::string_view find(const HeaderMap& fields, std::string_view name) {
  return value_in(fields, name).value_or(std::string_view());
}

http::HeadLimits limits_for(const HeaderMap& fields, const std::string& text) {
  return {text.size(), static_cast<std::size_t>(fields.headers_size()) + 1, true};
}

}  // namespace

std::optional<std::string_view> value_in(const HeaderMap& fields, std::string_view name) {
  for (const HeaderValue& field : fields.headers()) {
    if (field.key() == name) return value_of(field);
  }
  return std::nullopt;
}

std::optional<BadHead> read_request_head(const HeaderMap& fields, std::string& text,
                                         http::RequestHead& head) {
  const std::string_view method = find(fields, ":method");
  const std::string_view path = find(fields, ":path");
  std::string_view authority = find(fields, ":authority");
  if (authority.empty()) authority = find(fields, "host");
  if (!fits_on_line(method) || !fits_on_line(path) || !http::valid_field_value(authority)) {
    return BadHead{400, "request-line", "The method, the path or the authority is malformed."};
  }
  reserve(fields, text);
  text.append(method).append(" ").append(path).append(" HTTP/1.1\r\nhost: ");
  text.append(authority).append("\r\n");
  if (auto bad = append_fields(fields, text)) return bad;
  return http::parse_request_head(text, limits_for(fields, text), head);
}

std::optional<BadHead> read_response_head(const HeaderMap& fields, std::string_view to_method,
                                          std::string& text, http::ResponseHead& head) {
  const std::string_view status = find(fields, ":status");
  if (!fits_on_line(status)) return BadHead{502, "status", "The status is missing."};
  reserve(fields, text);
  text.append("HTTP/1.1 ").append(status).append(" \r\n");
  if (auto bad = append_fields(fields, text)) return bad;
  return http::parse_response_head(text, limits_for(fields, text), to_method, head);
}

}  // namespace onceproxy::ext_proc
