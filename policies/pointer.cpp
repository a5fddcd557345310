#include "policies/pointer.hpp"

#include <algorithm>
#include <charconv>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

std::optional<std::string> unescape_token(std::string_view written) {
  std::string token;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '~') {
      token += written[i];
      continue;
    }
    ++i;
    if (i == written.size() || (written[i] != '0' && written[i] != '1')) return std::nullopt;
    token += written[i] == '0' ? '~' : '/';
  }
  return token;
}

/// RFC 6901 section 4: digits without leading zeros.
std::optional<std::size_t> array_index(std::string_view token) {
  if (token.empty() || (token.size() > 1 && token.front() == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (error != std::errc{} || end != token.data() + token.size()) return std::nullopt;
  return index;
}

}  // namespace

std::optional<std::vector<std::string>> parse_pointer(std::string_view text) {
  std::vector<std::string> pointer;
  if (text.empty()) return pointer;
  if (text.front() != '/') return std::nullopt;
  for (;;) {
    text.remove_prefix(1);
    const std::size_t slash = text.find('/');
    auto token = unescape_token(text.substr(0, slash));
    if (!token) return std::nullopt;
    pointer.push_back(std::move(*token));
    if (slash == std::string_view::npos) return pointer;
    text.remove_prefix(slash);
  }
}

bool has_wildcard(std::span<const std::string> pointer) {
  return std::find(pointer.begin(), pointer.end(), "*") != pointer.end();
}

std::optional<JsonTree::Index> resolve(const JsonTree& tree, JsonTree::Index from,
                                       std::span<const std::string> pointer) {
  for (const std::string& token : pointer) {
    if (tree.kind(from) == JsonTree::Kind::object) {
      const JsonTree::Index* member = tree.member(from, token);
      if (member == nullptr) return std::nullopt;
      from = *member;
    } else if (tree.kind(from) == JsonTree::Kind::array) {
      const auto elements = tree.children(from);
      const auto index = array_index(token);
      if (!index || *index >= elements.size()) return std::nullopt;
      from = elements[*index];
    } else {
      return std::nullopt;
    }
  }
  return from;
}

}  // namespace onceproxy::policies
