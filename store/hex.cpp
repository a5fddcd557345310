#include "store/hex.hpp"

#include <boost/algorithm/hex.hpp>

namespace onceproxy::store {

void append_hex(std::string& out, std::string_view bytes) {
  const std::size_t before = out.size();
  out.resize(before + 2 * bytes.size());
  boost::algorithm::hex_lower(bytes.begin(), bytes.end(), out.data() + before);
}

std::string hex(std::string_view bytes) {
  std::string out;
  append_hex(out, bytes);
  return out;
}

char* write_hex(std::uint16_t number, char* out) {
  return boost::algorithm::hex_lower(&number, &number + 1, out);
}

char* write_hex(std::uint64_t number, char* out) {
  return boost::algorithm::hex_lower(&number, &number + 1, out);
}

char* write_upper_hex(char byte, char* out) {
  return boost::algorithm::hex(&byte, &byte + 1, out);
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != 2 * out.size()) return false;
  // Not the library's unhex, which throws: what is read here comes with requests.
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace onceproxy::store
