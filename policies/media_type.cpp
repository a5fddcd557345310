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

constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";

/// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_alpha(c) || is_digit(c) || token_marks.find(c) != std::string_view::npos;
  });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

/// Where `mark` stands next outside quotes, or the end.
std::size_t find_unquoted(std::string_view text, char mark) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (!quoted && text[i] == mark) {
      return i;
    }
  }
  return text.size();
}

/// A token, or what a quoted string holds; nothing if it is neither.
std::optional<std::string> parameter_value(std::string_view text) {
  if (is_token(text)) return std::string(text);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
    out += text[i];
  }
  return out;
}

bool read_parameters(std::string_view rest, MediaType& out) {
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t end = find_unquoted(rest, ';');
    const std::string_view pair = trimmed(rest.substr(0, end), optional_space);
    rest.remove_prefix(end);
    // An empty one is allowed (RFC 9110 5.6.6).
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || !is_token(pair.substr(0, equals))) return false;
    auto value = parameter_value(pair.substr(equals + 1));
    if (!value) return false;
    out.parameters.emplace_back(lower_case(pair.substr(0, equals)), *std::move(value));
  }
  return true;
}

bool is_of_type(std::string_view given, const MediaType& asked) {
  if (!equals_ignoring_case(type_of(given), asked.name)) return false;
  if (asked.parameters.empty()) return true;
  const auto type = parse_media_type(given);
  return type && has_parameters(*type, asked);
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

std::optional<MediaType> parse_media_type(std::string_view text) {
  text = trimmed(text, optional_space);
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::string_view name = type_of(text);
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || !is_token(name.substr(0, slash)) ||
      !is_token(name.substr(slash + 1))) {
    return std::nullopt;
  }
  MediaType out{lower_case(name), {}};
  if (!read_parameters(text.substr(end), out)) return std::nullopt;
  return out;
}

bool has_parameters(const MediaType& given, const MediaType& asked) {
  return std::ranges::all_of(asked.parameters, [&](const auto& wanted) {
    return std::ranges::any_of(given.parameters, [&](const auto& one) {
      if (one.first != wanted.first) return false;
      return one.first == "charset" ? equals_ignoring_case(one.second, wanted.second)
                                    : one.second == wanted.second;
    });
  });
}

bool says_media_type(const RequestView& request, const MediaType& asked) {
  return std::ranges::any_of(request.headers, [&](const Field& field) {
    if (!equals_ignoring_case(field.name, name_of_content_type)) return false;
    for (std::string_view rest = field.value;;) {
      const std::size_t end = find_unquoted(rest, ',');
      if (is_of_type(rest.substr(0, end), asked)) return true;
      if (end == rest.size()) return false;
      rest.remove_prefix(end + 1);
    }
  });
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
