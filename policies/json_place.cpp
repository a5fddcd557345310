#include "policies/json_place.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "policies/json.hpp"
#include "policies/json_string.hpp"

namespace onceproxy::policies {
namespace {

/// Goes through a document that is known to be valid; so it looks no further than it has to.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  std::optional<JsonPlace> find(std::span<const std::string> pointer) {
    for (const std::string& token : pointer) {
      skip_space();
      const bool found = text_[at_] == '{'   ? enter_member(token)
                         : text_[at_] == '[' ? enter_element(token)
                                             : false;
      if (!found) return std::nullopt;
    }
    skip_space();
    const std::size_t begin = at_;
    skip_value();
    return JsonPlace{begin, at_};
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\n\r", at_), text_.size()); }

  /// At an opening quote; what stands between it and the closing one.
  std::string_view take_string() {
    const std::size_t begin = ++at_;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    return text_.substr(begin, at_++ - begin);
  }

  void skip_value() {
    std::size_t depth = 0;
    do {
      skip_space();
      const char c = text_[at_];
      if (c == '"') {
        take_string();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        --depth;
        ++at_;
      } else if (c == ',' || c == ':') {
        ++at_;
      } else {
        at_ = std::min(text_.find_first_of(" \t\n\r,]}", at_), text_.size());
      }
    } while (depth > 0);
  }

  bool enter_member(std::string_view name) {
    ++at_;
    std::string unescaped;
    while (true) {
      skip_space();
      if (text_[at_] == '}') return false;
      unescaped.clear();
      append_unescaped(take_string(), unescaped);
      skip_space();
      ++at_;  // the colon
      if (unescaped == name) return true;
      if (!skip_to_next()) return false;
    }
  }

  bool enter_element(std::string_view index) {
    // RFC 6901 4: no leading zeros, and "-" names the element behind the last.
    if (index.empty() || (index.size() > 1 && index[0] == '0')) return false;
    std::size_t left = 0;
    const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), left);
    if (error != std::errc() || end != index.data() + index.size()) return false;
    ++at_;
    skip_space();
    if (text_[at_] == ']') return false;
    for (; left > 0; --left) {
      if (!skip_to_next()) return false;
    }
    return true;
  }

  /// Over a value and the comma behind it; false if the container ends.
  bool skip_to_next() {
    skip_space();
    skip_value();
    skip_space();
    return text_[at_++] == ',';
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<JsonPlace> find_place(std::string_view text, std::span<const std::string> pointer) {
  if (JsonTree::parse(text) == nullptr) return std::nullopt;
  return Walk(text).find(pointer);
}

}  // namespace onceproxy::policies
