// Splits a request target into path and decoded query. Private to this folder. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::admin {

struct Target {
  std::string path;
  std::multimap<std::string, std::string> query;
};

/// Only the origin form (RFC 9112, section 3.2.1) is accepted. In the query, "+" is a space and a
/// percent sign begins two hexadecimal digits; anything else is not a valid target.
std::optional<Target> parse_target(std::string_view text);

}  // namespace onceproxy::admin
