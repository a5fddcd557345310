#include "policies/form.hpp"

#include <algorithm>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

/// Takes one decoded character off the front of `rest`, which is not empty.
char take_decoded(std::string_view& rest) {
  const char c = rest.front();
  if (c == '%' && rest.size() >= 3) {
    const int high = hex_value(rest[1]);
    const int low = hex_value(rest[2]);
    if (high >= 0 && low >= 0) {
      rest.remove_prefix(3);
      return static_cast<char>(high << 4 | low);
    }
  }
  rest.remove_prefix(1);
  return c == '+' ? ' ' : c;
}

bool decodes_to(std::string_view encoded, std::string_view text) {
  for (const char c : text) {
    if (encoded.empty() || take_decoded(encoded) != c) return false;
  }
  return encoded.empty();
}

}  // namespace

std::vector<std::string> form_values(std::string_view text, std::string_view name) {
  // A byte order mark is not part of a name; editors and some senders write one.
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> values;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.empty() || !decodes_to(pair.substr(0, equals), name)) continue;
    std::string_view encoded = pair.substr(std::min(equals + 1, pair.size()));
    std::string& value = values.emplace_back();
    value.reserve(encoded.size());
    while (!encoded.empty()) value += take_decoded(encoded);
  }
  return values;
}

}  // namespace onceproxy::policies
