#include "policies/media_type.hpp"

#include <algorithm>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

/// Whether `is` holds for one of the media types, without their parameters.
template <typename Is>
bool any_media_type(const RequestView& request, Is is) {
  return std::ranges::any_of(request.headers, [&](const Field& field) {
    if (!equals_ignoring_case(field.name, "content-type")) return false;
    return is(trimmed(field.value.substr(0, field.value.find(';')), optional_space));
  });
}

}  // namespace

bool says_form(const RequestView& request) {
  return any_media_type(request, [](std::string_view type) {
    return equals_ignoring_case(type, "application/x-www-form-urlencoded");
  });
}

bool says_json(const RequestView& request) {
  return any_media_type(request, [](std::string_view type) {
    constexpr std::string_view suffix = "+json";
    return equals_ignoring_case(type, "application/json") ||
           equals_ignoring_case(type, "text/json") ||
           (type.size() > suffix.size() &&
            equals_ignoring_case(type.substr(type.size() - suffix.size()), suffix));
  });
}

}  // namespace onceproxy::policies
