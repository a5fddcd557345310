#include "store/sequence.hpp"

#include <chrono>

#include "store/hex.hpp"
#include "store/utc_text.hpp"

namespace onceproxy::store {
namespace {

void drop_zeros_at_end(std::string& text) {
  text.resize(text.find_last_not_of('0') + 1);
}

std::string text_of_time(const Sequence& sequence) {
  std::string out = utc_text(std::chrono::sys_seconds{std::chrono::seconds(sequence.high)});
  out.pop_back();  // the Z, which comes after the fraction
  if (sequence.low != 0) {
    const std::string digits = std::to_string(sequence.low);
    out += '.' + std::string(18 - digits.size(), '0') + digits;
    drop_zeros_at_end(out);
  }
  return out + 'Z';
}

std::string text_of_hex(const Sequence& sequence) {
  std::string out(32, '0');
  write_hex(sequence.low, write_hex(sequence.first_digits(), out.data()));
  drop_zeros_at_end(out);
  return out.empty() ? "0" : out;
}

}  // namespace

std::string text(const Sequence& sequence) {
  switch (sequence.kind) {
    case Sequence::Kind::integer:
      return std::to_string(sequence.high);
    case Sequence::Kind::time:
      return text_of_time(sequence);
    case Sequence::Kind::hex:
      return text_of_hex(sequence);
  }
  return "";
}

}  // namespace onceproxy::store
