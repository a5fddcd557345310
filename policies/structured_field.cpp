#include "policies/structured_field.hpp"

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

template <typename Allowed>
std::size_t skip_while(std::string_view& rest, Allowed allowed) {
  std::size_t n = 0;
  while (n < rest.size() && allowed(rest[n])) ++n;
  rest.remove_prefix(n);
  return n;
}

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

/// 4.2.3.3
bool skip_key(std::string_view& rest) {
  if (rest.empty() || !(is_lower(rest.front()) || rest.front() == '*')) return false;
  skip_while(rest, [](char c) { return is_lower(c) || is_digit(c) || is_one_of(c, "_-.*"); });
  return true;
}

/// 4.2.4: an integer of up to 15 digits or a decimal of up to 12 and 3.
bool skip_number(std::string_view& rest) {
  take(rest, '-');
  const std::size_t whole = skip_while(rest, is_digit);
  if (whole == 0) return false;
  if (!take(rest, '.')) return whole <= 15;
  const std::size_t fraction = skip_while(rest, is_digit);
  return whole <= 12 && fraction >= 1 && fraction <= 3;
}

/// 4.2.6
bool skip_token(std::string_view& rest) {
  skip_while(
      rest, [](char c) { return is_alpha(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~:/"); });
  return true;
}

/// 4.2.7
bool skip_bytes(std::string_view& rest) {
  if (!take(rest, ':')) return false;
  skip_while(rest, [](char c) { return is_alpha(c) || is_digit(c) || is_one_of(c, "+/="); });
  return take(rest, ':');
}

/// 4.2.9
bool skip_date(std::string_view& rest) {
  if (!take(rest, '@')) return false;
  take(rest, '-');
  const std::size_t digits = skip_while(rest, is_digit);
  return digits >= 1 && digits <= 15 && (rest.empty() || rest.front() != '.');
}

/// 4.2.10
bool skip_display_string(std::string_view& rest) {
  if (!take(rest, '%') || !take(rest, '"')) return false;
  for (;;) {
    skip_while(rest, [](char c) { return c >= 0x20 && c <= 0x7E && c != '%' && c != '"'; });
    if (take(rest, '"')) return true;
    if (!take(rest, '%')) return false;
    for (int i = 0; i < 2; ++i) {
      if (rest.empty() || !(is_digit(rest.front()) || (rest.front() >= 'a' && rest.front() <= 'f')))
        return false;
      rest.remove_prefix(1);
    }
  }
}

/// 4.2.3.1
bool skip_bare_item(std::string_view& rest) {
  if (rest.empty()) return false;
  const char c = rest.front();
  if (c == '-' || is_digit(c)) return skip_number(rest);
  if (c == '"') {
    std::string scratch;
    std::string_view text;
    return take_sf_string(rest, scratch, text);
  }
  if (c == '*' || is_alpha(c)) return skip_token(rest);
  if (c == ':') return skip_bytes(rest);
  if (c == '?') {
    rest.remove_prefix(1);
    return take(rest, '0') || take(rest, '1');
  }
  if (c == '@') return skip_date(rest);
  return skip_display_string(rest);
}

}  // namespace

bool take_sf_string(std::string_view& rest, std::string& scratch, std::string_view& text) {
  if (!take(rest, '"')) return false;
  const std::string_view begin = rest;
  bool escaped = false;
  for (;;) {
    const std::size_t plain =
        skip_while(rest, [](char c) { return c >= 0x20 && c <= 0x7E && c != '"' && c != '\\'; });
    if (escaped) scratch.append(rest.data() - plain, plain);
    if (rest.empty()) return false;
    const char c = rest.front();
    if (c == '"') break;
    if (c != '\\' || rest.size() < 2 || !is_one_of(rest[1], "\"\\")) return false;
    if (!escaped) scratch.assign(begin.data(), begin.size() - rest.size());
    escaped = true;
    scratch += rest[1];
    rest.remove_prefix(2);
  }
  text = escaped ? std::string_view(scratch) : begin.substr(0, begin.size() - rest.size());
  rest.remove_prefix(1);
  return true;
}

bool skip_sf_parameters(std::string_view& rest) {
  while (take(rest, ';')) {
    skip_while(rest, [](char c) { return c == ' '; });
    if (!skip_key(rest)) return false;
    if (take(rest, '=') && !skip_bare_item(rest)) return false;
  }
  return true;
}

}  // namespace onceproxy::policies
