#include "proxy/admin/target.hpp"

#include <algorithm>
#include <utility>

#include "policies/percent.hpp"

namespace onceproxy::admin {
namespace {

/// A part of a query: there, a plus sign is a space.
std::optional<std::string> decode(std::string text) {
  std::replace(text.begin(), text.end(), '+', ' ');
  return policies::decode_percent_strictly(text);
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/') return std::nullopt;
  Target target;
  const std::size_t question = text.find('?');
  target.path = text.substr(0, question);
  if (question == std::string_view::npos) return target;
  for (std::string_view rest = text.substr(question + 1); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::optional<std::string> key = decode(std::string(pair.substr(0, equals)));
    std::optional<std::string> value = equals == std::string_view::npos
                                           ? std::string()
                                           : decode(std::string(pair.substr(equals + 1)));
    if (!key || !value) return std::nullopt;
    target.query.emplace(std::move(*key), std::move(*value));
  }
  return target;
}

}  // namespace onceproxy::admin
