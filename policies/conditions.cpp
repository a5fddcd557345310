#include "policies/conditions.hpp"

#include <algorithm>

namespace onceproxy::policies {
namespace {

bool matches(const re2::RE2& regex, std::string_view text) {
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex);
}

/// The field's value; `scratch` holds it if it came in pieces.
std::string_view joined(const RequestView& request, std::string_view name, const Field& first,
                        std::string& scratch) {
  for (const Field* field = &first + 1; field != request.headers.data() + request.headers.size();
       ++field) {
    if (!equals_ignoring_case(field->name, name)) continue;
    if (scratch.empty()) scratch = first.value;
    scratch.append(", ").append(field->value);
  }
  return scratch.empty() ? first.value : std::string_view(scratch);
}

}  // namespace

Truth holds(const Condition& condition, const Subject& subject) {
  std::string text;
  const Subject asked{subject.match, subject.request, subject.body, subject.status,
                      Reading::condition};
  const auto field = append_field(condition.selector, asked, text);
  if (!field && field.error().kind == SelectError::Kind::unreadable) return Truth::unreadable;
  const bool missing = !field && field.error().kind == SelectError::Kind::missing;
  if (condition.present) return *condition.present == !missing ? Truth::yes : Truth::no;
  if (!field) return Truth::no;
  const bool met = condition.regex
                       ? matches(*condition.regex, text)
                       : std::ranges::find(condition.any_of, text) != condition.any_of.end();
  return met ? Truth::yes : Truth::no;
}

Truth all_hold(std::span<const Condition> conditions, const Subject& subject) {
  Truth all = Truth::yes;
  for (const Condition& condition : conditions) {
    const Truth one = holds(condition, subject);
    if (one == Truth::no) return one;
    if (one == Truth::unreadable) all = one;
  }
  return all;
}

bool holds(const HeaderCondition& condition, const RequestView& request) {
  const Field* first = request.header(condition.name);
  if (const auto* present = std::get_if<HeaderCondition::Present>(&condition.is)) {
    return (first != nullptr) == present->there;
  }
  if (first == nullptr) return false;
  if (const auto* type = std::get_if<MediaType>(&condition.is)) {
    return says_media_type(request, *type);
  }
  std::string scratch;
  const std::string_view value = joined(request, condition.name, *first, scratch);
  if (const auto* text = std::get_if<std::string>(&condition.is)) return value == *text;
  return matches(*std::get<Regex>(condition.is), value);
}

}  // namespace onceproxy::policies
