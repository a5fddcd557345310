#include "config/status_rule.hpp"

#include "config/scalars.hpp"

namespace onceproxy::config {

std::optional<StatusRule> parse_status_rule(std::string_view text) {
  if (text.size() == 3 && text.ends_with("xx") && text[0] >= '1' && text[0] <= '5') {
    return StatusRule{text[0] - '0', true};
  }
  const auto number = whole_number(text);
  if (number && *number >= 100 && *number <= 599) return StatusRule{static_cast<int>(*number)};
  return std::nullopt;
}

std::optional<StatusRule> read_status_rule(const Node& node) {
  const auto rule = parse_status_rule(node.text());
  if (!node.is_broken() && rule && (rule->is_class || node.is_plain())) return rule;
  node.expected("a status such as 408 or a class such as 5xx");
  return std::nullopt;
}

}  // namespace onceproxy::config
