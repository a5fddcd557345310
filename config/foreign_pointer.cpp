#include "config/foreign_pointer.hpp"

#include <algorithm>

namespace onceproxy::config {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

void append_token(std::string_view name, std::string& pointer) {
  pointer += '/';
  for (const char c : name) {
    if (c == '~' || c == '/') {
      pointer += c == '~' ? "~0" : "~1";
    } else {
      pointer += c;
    }
  }
}

/// Takes `[0]`, `[*]`, `[]`, `['name']` or `["name"]` off the front.
bool take_bracket(std::string_view& text, std::string& pointer) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return false;
  const std::string_view inner = text.substr(1, close - 1);
  text.remove_prefix(close + 1);
  const bool is_quoted = inner.size() >= 2 && (inner.front() == '\'' || inner.front() == '"') &&
                         inner.back() == inner.front();
  if (is_quoted) {
    append_token(inner.substr(1, inner.size() - 2), pointer);
  } else if (inner.empty() || inner == "*") {
    pointer += "/*";
  } else if (is_number(inner)) {
    append_token(inner, pointer);
  } else {
    return false;
  }
  return true;
}

/// Names between dots, with brackets behind them.
std::optional<std::string> of_path(std::string_view text) {
  std::string pointer;
  while (!text.empty()) {
    if (text.front() == '[') {
      if (!take_bracket(text, pointer)) return std::nullopt;
      continue;
    }
    if (text.front() == '.') text.remove_prefix(1);
    if (!text.empty() && text.front() == '[') continue;
    const std::size_t end = std::min(text.find_first_of(".["), text.size());
    const std::string_view name = text.substr(0, end);
    if (name.empty() || name.find_first_of(" /()?@'\"") != std::string_view::npos) {
      return std::nullopt;
    }
    append_token(name, pointer);
    text.remove_prefix(end);
  }
  return pointer;
}

/// A token of a pointer with brackets behind a name; the name is taken as it stands, escapes
/// included.
bool take_token(std::string_view token, std::string& pointer, bool& foreign) {
  const std::size_t bracket = token.find('[');
  const bool brackets = bracket != std::string_view::npos && token.back() == ']';
  if (token == "-") {
    pointer += "/*";
    foreign = true;
    return true;
  }
  pointer += '/';
  pointer += token.substr(0, brackets ? bracket : token.size());
  if (!brackets) return true;
  foreign = true;
  for (token.remove_prefix(bracket); !token.empty();) {
    if (token.front() != '[' || !take_bracket(token, pointer)) return false;
  }
  return true;
}

std::optional<std::string> of_pointer(std::string_view text) {
  std::string pointer;
  bool foreign = false;
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::size_t end = std::min(text.find('/'), text.size());
    if (!take_token(text.substr(0, end), pointer, foreign)) return std::nullopt;
    text.remove_prefix(end);
  }
  return foreign ? std::optional(pointer) : std::nullopt;
}

}  // namespace

std::optional<std::string> pointer_meant(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text.front() == '/') return of_pointer(text);
  if (text == "#") return "";
  if (text.starts_with("#/")) return std::string(text.substr(1));
  if (text == "$" || text == ".") return "";
  if (text.starts_with("$.") || text.starts_with("$[")) text.remove_prefix(1);
  return of_path(text);
}

}  // namespace onceproxy::config
