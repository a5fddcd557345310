#include "policies/accept_encoding.hpp"

#include <algorithm>
#include <optional>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

std::string_view without_alias(std::string_view coding) {
  return equals_ignoring_case(coding, "x-gzip") ? coding.substr(2) : coding;
}

/// weight = OWS ";" OWS "q=" qvalue (RFC 9110 12.4.2): whether it is zero.
bool weighs_nothing(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trimmed(parameters.substr(0, end), optional_space);
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (parameter.size() < 3 || ascii_lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    return parameter[2] == '0' && parameter.substr(3).find_first_not_of(".0") == parameter.npos;
  }
  return false;
}

}  // namespace

bool names_coding(const RequestView& request, std::string_view coding) {
  std::optional<bool> by_name;
  std::optional<bool> by_star;
  for (const Field& field : request.headers) {
    if (!equals_ignoring_case(field.name, "accept-encoding")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view member = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      const std::size_t semicolon = std::min(member.find(';'), member.size());
      const std::string_view name = trimmed(member.substr(0, semicolon), optional_space);
      const bool wanted = !weighs_nothing(member.substr(semicolon));
      if (name == "*") by_star = wanted;
      if (equals_ignoring_case(without_alias(name), without_alias(coding))) by_name = wanted;
    }
  }
  return by_name.value_or(by_star.value_or(false));
}

}  // namespace onceproxy::policies
