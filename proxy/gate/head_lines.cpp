#include "proxy/gate/head_lines.hpp"

#include <algorithm>

namespace onceproxy::gate {

bool has_line(std::string_view head, std::string_view name) {
  bool found = false;
  for_each_line(head, [&](const policies::Field& field, std::string_view) {
    found |= policies::equals_ignoring_case(field.name, name);
  });
  return found;
}

bool varies_by(std::string_view head, std::string_view name) {
  bool found = false;
  for_each_line(head, [&](const policies::Field& field, std::string_view) {
    if (!policies::equals_ignoring_case(field.name, "vary")) return;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view member =
          policies::trimmed(rest.substr(0, comma), policies::optional_space);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      found |= member == "*" || policies::equals_ignoring_case(member, name);
    }
  });
  return found;
}

}  // namespace onceproxy::gate
