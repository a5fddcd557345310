#include "policies/form.hpp"

#include <algorithm>

#include "policies/except.hpp"
#include "policies/json_string.hpp"
#include "policies/percent.hpp"

namespace onceproxy::policies {
namespace {

/// Takes one decoded character off the front of `rest`, which is not empty.
char take_decoded(std::string_view& rest) {
  const char c = rest.front();
  if (const int byte = percent_byte(rest); byte >= 0) {
    rest.remove_prefix(3);
    return static_cast<char>(byte);
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

/// Takes the pair at the front off `rest`, which is not empty.
std::string_view take_pair(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('&'), rest.size());
  const std::string_view pair = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return pair;
}

/// A byte order mark is not a part of a name; editors and some senders write one.
std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

void decode(std::string_view encoded, std::string& out) {
  out.clear();
  out.reserve(encoded.size());
  while (!encoded.empty()) out += take_decoded(encoded);
}

}  // namespace

FormReader::FormReader(std::string_view text) : rest_(without_mark(text)) {}

bool FormReader::next(std::string& name, std::string& value) {
  std::string_view pair;
  while (pair.empty()) {
    if (rest_.empty()) return false;
    pair = take_pair(rest_);
  }
  const std::size_t equals = std::min(pair.find('='), pair.size());
  decode(pair.substr(0, equals), name);
  decode(pair.substr(std::min(equals + 1, pair.size())), value);
  return true;
}

void append_form(std::string_view text, std::span<const std::vector<std::string>> except,
                 std::string& out) {
  FormReader reader(text);
  std::string name;
  std::string value;
  out += '[';
  bool first = true;
  while (reader.next(name, value)) {
    if (leaves_out(except, name)) continue;
    if (!first) out += ',';
    first = false;
    out += '[';
    append_json_string(name, out);
    out += ',';
    append_json_string(value, out);
    out += ']';
  }
  out += ']';
}

std::vector<std::string> form_values(std::string_view text, std::string_view name) {
  text = without_mark(text);
  std::vector<std::string> values;
  while (!text.empty()) {
    const std::string_view pair = take_pair(text);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.empty() || !decodes_to(pair.substr(0, equals), name)) continue;
    decode(pair.substr(std::min(equals + 1, pair.size())), values.emplace_back());
  }
  return values;
}

}  // namespace onceproxy::policies
