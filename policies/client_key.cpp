#include "policies/client_key.hpp"

#include <algorithm>

#include "policies/ascii.hpp"
#include "policies/structured_field.hpp"

namespace onceproxy::policies {
namespace {

using Key = tl::expected<std::string_view, std::string_view>;

Key parse_quoted(std::string_view value, std::string& scratch) {
  std::string_view key;
  if (!take_sf_string(value, scratch, key)) {
    return tl::unexpected<std::string_view>("the quoted key is malformed");
  }
  if (!skip_sf_parameters(value) || !value.empty()) {
    return tl::unexpected<std::string_view>("the text after the quoted key is malformed");
  }
  return key;
}

Key parse_bare(std::string_view value) {
  // A comma may be two fields merged on the way, and a quote one that lost its other half.
  const bool good = std::all_of(value.begin(), value.end(), [](char c) {
    return c >= 0x21 && c <= 0x7E && c != ',' && c != '"';
  });
  if (!good) return tl::unexpected<std::string_view>("the key has a character it may not have");
  return value;
}

}  // namespace

tl::expected<std::string_view, std::string_view> parse_client_key(std::string_view value,
                                                                  std::string& scratch) {
  value = trimmed(value, optional_space);
  const bool quoted = !value.empty() && value.front() == '"';
  const Key key = quoted ? parse_quoted(value, scratch) : parse_bare(value);
  if (!key) return key;
  if (key->empty()) return tl::unexpected<std::string_view>("the key is empty");
  if (key->size() > client_key_size_max) {
    return tl::unexpected<std::string_view>("the key is longer than 255 characters");
  }
  return key;
}

}  // namespace onceproxy::policies
