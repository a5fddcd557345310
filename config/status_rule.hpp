// A status as the configuration writes it: a single one (408), or a class (4xx). Pure; thread-safe.
#pragma once

#include <optional>
#include <string_view>

#include "config/node.hpp"

namespace onceproxy::config {

struct StatusRule {
  /// For a class, its first digit.
  int status = 0;
  bool is_class = false;
};

/// Nothing if the text is neither a status from 100 to 599 nor a class from 1xx to 5xx.
std::optional<StatusRule> parse_status_rule(std::string_view text);

/// The same for a value; a status must be a number, not text. Reports other values.
std::optional<StatusRule> read_status_rule(const Node& node);

}  // namespace onceproxy::config
