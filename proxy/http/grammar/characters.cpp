#include "proxy/http/grammar/characters.hpp"

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

bool valid_field_value(std::string_view value) {
  return all_value_chars(value);
}

bool valid_token(std::string_view text) {
  return !text.empty() && all_of(text, token_chars);
}

}  // namespace onceproxy::http
