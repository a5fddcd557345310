#include "policies/method_override.hpp"

#include <algorithm>

#include "policies/ascii.hpp"
#include "policies/form.hpp"
#include "policies/media_type.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::string_view form_field = "_method";

bool is_override(std::string_view field_name) {
  return std::ranges::any_of(method_override_fields, [&](std::string_view name) {
    return equals_ignoring_case(field_name, name);
  });
}

void add(std::string_view written, std::vector<std::string>& methods) {
  const std::string_view method = trimmed(written, optional_space);
  if (method.empty()) return;
  std::string& upper = methods.emplace_back(method);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
}

std::vector<std::string> methods_of_head(const RequestView& request) {
  std::vector<std::string> methods;
  for (const Field& field : request.headers) {
    if (!is_override(field.name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      add(rest.substr(0, comma), methods);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  for (const std::string& value : form_values(request.query, form_field)) add(value, methods);
  return methods;
}

}  // namespace

std::optional<std::vector<std::string>> overriding_methods(const RequestView& request,
                                                           Document& body) {
  std::vector<std::string> methods = methods_of_head(request);
  if (!says_form(request)) return methods;
  const std::string_view* const content = body.content();
  if (content == nullptr) return std::nullopt;
  for (const std::string& value : form_values(*content, form_field)) add(value, methods);
  return methods;
}

bool head_overrides(const RequestView& request, const std::vector<std::string>& methods) {
  return std::ranges::any_of(methods_of_head(request), [&](const std::string& method) {
    return std::ranges::find(methods, method) != methods.end();
  });
}

}  // namespace onceproxy::policies
