#include "policies/percent.hpp"

namespace onceproxy::policies {

std::string decode_percent(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const int byte = percent_byte(text);
    out += byte < 0 ? text.front() : static_cast<char>(byte);
    text.remove_prefix(byte < 0 ? 1 : 3);
  }
  return out;
}

std::optional<std::string> decode_percent_strictly(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (percent_byte(text.substr(at)) < 0) return std::nullopt;
  }
  return decode_percent(text);
}

void append_percent(char byte, std::string& out) {
  char text[3] = {'%'};
  store::write_upper_hex(byte, text + 1);
  out.append(text, sizeof text);
}

std::string encode_percent(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      append_percent(c, out);
    }
  }
  return out;
}

}  // namespace onceproxy::policies
