#include "policies/media_type.hpp"

#include <algorithm>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::string_view name_of_content_type = "content-type";

/// Without its parameters.
std::string_view type_of(std::string_view value) {
  return trimmed(value.substr(0, value.find(';')), optional_space);
}

bool ends_in(std::string_view type, std::string_view suffix) {
  return type.size() > suffix.size() &&
         equals_ignoring_case(type.substr(type.size() - suffix.size()), suffix);
}

BodyKind kind_of(std::string_view value) {
  const std::string_view type = type_of(value);
  const auto is = [&](std::string_view name) { return equals_ignoring_case(type, name); };
  if (type.empty()) return BodyKind::unsaid;
  if (is("application/json") || is("text/json")) return BodyKind::json;
  if (ends_in(type, "+json")) return BodyKind::json;
  if (is("application/x-www-form-urlencoded")) return BodyKind::form;
  return is("multipart/form-data") ? BodyKind::multipart : BodyKind::other;
}

bool any_says(const RequestView& request, BodyKind kind) {
  return std::ranges::any_of(request.headers, [&](const Field& field) {
    return equals_ignoring_case(field.name, name_of_content_type) && kind_of(field.value) == kind;
  });
}

/// Takes the text of a quoted string off the front of `rest`, which stands behind its opening
/// quote, and the closing one with it.
std::string take_quoted(std::string_view& rest) {
  std::string text;
  while (!rest.empty() && rest.front() != '"') {
    const bool escape =
        rest.front() == '\\' && rest.size() > 1 && (rest[1] == '"' || rest[1] == '\\');
    if (escape) rest.remove_prefix(1);
    text += rest.front();
    rest.remove_prefix(1);
  }
  rest.remove_prefix(std::min<std::size_t>(1, rest.size()));
  return text;
}

}  // namespace

BodyKind body_kind(const RequestView& request) {
  const Field* const first = request.header(name_of_content_type);
  if (first == nullptr) return BodyKind::unsaid;
  const bool differ = std::any_of(first + 1, request.headers.data() + request.headers.size(),
                                  [&](const Field& field) {
                                    return equals_ignoring_case(field.name, name_of_content_type) &&
                                           field.value != first->value;
                                  });
  return differ ? BodyKind::other : kind_of(first->value);
}

std::vector<Parameter> parameters(std::string_view value) {
  std::vector<Parameter> out;
  value.remove_prefix(std::min(value.find(';'), value.size()));
  while (!value.empty()) {
    value.remove_prefix(1);
    const std::size_t end = std::min(value.find_first_of("=;"), value.size());
    const std::string_view name = trimmed(value.substr(0, end), optional_space);
    value.remove_prefix(end);
    if (!value.starts_with('=')) continue;
    value.remove_prefix(1);
    const bool quoted = value.starts_with('"');
    if (quoted) {
      value.remove_prefix(1);
      out.push_back({name, take_quoted(value)});
    }
    const std::size_t next = std::min(value.find(';'), value.size());
    if (!quoted) out.push_back({name, std::string(trimmed(value.substr(0, next), optional_space))});
    value.remove_prefix(next);
  }
  return out;
}

std::optional<std::string> only_parameter(const std::vector<Parameter>& parameters,
                                          std::string_view name) {
  std::optional<std::string> out;
  for (const Parameter& one : parameters) {
    if (!equals_ignoring_case(one.name, name)) continue;
    if (out) return std::nullopt;
    out = one.text;
  }
  return out;
}

bool says_form(const RequestView& request) {
  return any_says(request, BodyKind::form);
}

bool says_json(const RequestView& request) {
  return any_says(request, BodyKind::json);
}

bool says_xml(const RequestView& request) {
  return std::ranges::any_of(request.headers, [](const Field& field) {
    if (!equals_ignoring_case(field.name, name_of_content_type)) return false;
    const std::string_view type = type_of(field.value);
    return equals_ignoring_case(type, "application/xml") ||
           equals_ignoring_case(type, "text/xml") || ends_in(type, "+xml");
  });
}

}  // namespace onceproxy::policies
