#include "proxy/admin/target.hpp"

#include <algorithm>
#include <utility>

namespace onceproxy::admin {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// A part of a query: there, a plus sign is a space.
std::optional<std::string> decode(std::string text) {
  std::replace(text.begin(), text.end(), '+', ' ');
  return decode_percent(text);
}

}  // namespace

std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

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
