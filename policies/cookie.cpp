#include "policies/cookie.hpp"

#include <algorithm>

#include "policies/ascii.hpp"

namespace onceproxy::policies {

std::vector<std::string> cookie_values(std::span<const Field> headers, std::string_view name) {
  std::vector<std::string> values;
  for (const Field& field : headers) {
    if (!equals_ignoring_case(field.name, "cookie")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      if (trimmed(pair.substr(0, equals), optional_space) != name) continue;
      values.emplace_back(trimmed(pair.substr(equals + 1), optional_space));
    }
  }
  return values;
}

}  // namespace onceproxy::policies
