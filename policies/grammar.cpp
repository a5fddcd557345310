#include "policies/grammar.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::size_t number_bytes = 8;

void put_number(std::uint64_t number, char* at) {
  for (std::size_t i = number_bytes; i-- > 0; number >>= 8)
    at[i] = static_cast<char>(number & 0xFF);
}

/// The text is written where it will stay, and its type and length before it once they are known.
tl::expected<void, SelectError> append_value(const Selector& selector, const Subject& subject,
                                             std::string& out) {
  const std::size_t type_at = out.size();
  out.resize(type_at + 1 + number_bytes);
  const std::size_t text_at = out.size();
  const auto type = append_field(selector, subject, out);
  if (!type) return tl::unexpected(type.error());
  out[type_at] = static_cast<char>(*type);
  put_number(out.size() - text_at, out.data() + type_at + 1);
  return {};
}

}  // namespace

void append_number(std::uint64_t number, std::string& out) {
  out.resize(out.size() + number_bytes);
  put_number(number, out.data() + out.size() - number_bytes);
}

void append_counted(std::string_view text, std::string& out) {
  append_number(text.size(), out);
  out.append(text);
}

tl::expected<void, SelectError> append_values(const std::vector<Selector>& selectors,
                                              const Subject& subject, std::string& out) {
  append_number(selectors.size(), out);
  for (const Selector& selector : selectors) {
    auto appended = append_value(selector, subject, out);
    if (!appended) return appended;
  }
  return {};
}

}  // namespace onceproxy::policies
