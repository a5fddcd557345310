#include "policies/conditions.hpp"

#include <algorithm>

namespace onceproxy::policies {
namespace {

bool matches(const re2::RE2& regex, std::string_view text) {
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex);
}

/// The field's value; `scratch` holds it where it came in pieces.
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

bool holds(const Condition& condition, const Subject& subject) {
  std::string text;
  if (!append_field(condition.selector, subject, text)) return false;
  if (condition.regex) return matches(*condition.regex, text);
  return std::find(condition.any_of.begin(), condition.any_of.end(), text) !=
         condition.any_of.end();
}

bool all_hold(std::span<const Condition> conditions, const Subject& subject) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [&](const Condition& condition) { return holds(condition, subject); });
}

bool holds(const HeaderCondition& condition, const RequestView& request) {
  const Field* first = request.header(condition.name);
  if (first == nullptr) return false;
  if (std::holds_alternative<HeaderCondition::Present>(condition.is)) return true;
  std::string scratch;
  const std::string_view value = joined(request, condition.name, *first, scratch);
  if (const auto* text = std::get_if<std::string>(&condition.is)) return value == *text;
  return matches(*std::get<Regex>(condition.is), value);
}

}  // namespace onceproxy::policies
