#include "proxy/cli/sheet.hpp"

#include <algorithm>
#include <ostream>

#include "config/text.hpp"
#include "store/hex.hpp"

namespace onceproxy::cli {
namespace {

using telemetry::Json;
using telemetry::json_member;
using telemetry::JsonArray;
using telemetry::JsonObject;
using telemetry::set_member;

constexpr std::size_t label_width = 14;

}  // namespace

std::string printable(std::string_view text) {
  static constexpr std::size_t bytes_max = 200;
  std::string out;
  for (std::size_t i = 0; i < text.size() && i < bytes_max;) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = config::utf8_length(text.substr(i));
    // U+0080 to U+009F are control characters too.
    const bool control =
        byte < 0x20 || byte == 0x7f ||
        (byte == 0xc2 && length == 2 && static_cast<unsigned char>(text[i + 1]) < 0xa0);
    if (length == 0 || control) {
      out += "\\x" + store::hex(text.substr(i, 1));
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  if (text.size() > bytes_max) out += "… (" + std::to_string(text.size()) + " bytes)";
  return out;
}

void TextSheet::line(std::string_view label, std::string_view text) {
  std::string begin(label);
  begin.resize(std::max(label_width, label.size() + 1), ' ');
  out_ << begin << text << "\n";
}

void TextSheet::field(std::string_view selector, std::string_view value) {
  out_ << "  " << printable(selector) << " = " << printable(value) << "\n";
}

void TextSheet::no_field(std::string_view selector, std::string_view why) {
  out_ << "  " << printable(selector) << " " << printable(why) << "\n";
}

void TextSheet::condition(std::string_view selector, std::string_view test) {
  out_ << "  " << printable(selector) << " " << printable(test) << "\n";
}

void TextSheet::change(std::string_view place, std::string_view by) {
  out_ << "  " << printable(place) << " becomes " << printable(by) << "\n";
}

void JsonSheet::line(std::string_view label, std::string_view text) {
  label_ = label;
  set_member(lines_, label_, text.empty() ? Json() : Json(text));
}

void JsonSheet::field(std::string_view selector, std::string_view value) {
  add(selector, "value", value);
}

void JsonSheet::no_field(std::string_view selector, std::string_view why) {
  add(selector, "problem", why);
}

void JsonSheet::condition(std::string_view selector, std::string_view test) {
  add(selector, "test", test);
}

void JsonSheet::change(std::string_view place, std::string_view by) {
  add(place, "becomes", by);
}

void JsonSheet::add(std::string_view selector, const char* name, std::string_view text) {
  if (json_member(fields_, label_) == nullptr) set_member(fields_, label_, JsonArray());
  json_member(fields_, label_)
      ->as_array()
      .push_back(JsonObject({{"selector", selector}, {name, text}}));
}

Json JsonSheet::json() const {
  Json out = lines_;
  set_member(out, "fields", fields_);
  return out;
}

}  // namespace onceproxy::cli
