#include "proxy/http/request_ids.hpp"

#include <sys/random.h>

#include <cstddef>
#include <stdexcept>

namespace onceproxy::http {

namespace {

std::uint64_t rotated(std::uint64_t value, int bits) {
  return value << bits | value >> (64 - bits);
}

}  // namespace

RequestIds::RequestIds() {
  if (::getrandom(random_, sizeof random_, 0) != sizeof random_) {
    throw std::runtime_error("cannot read random numbers from the kernel");
  }
}

std::string RequestIds::next() {
  std::uint64_t words[2];
  for (std::uint64_t& word : words) {
    word = random_[0] + random_[1];
    random_[1] ^= random_[0];
    random_[0] = rotated(random_[0], 24) ^ random_[1] ^ (random_[1] << 16);
    random_[1] = rotated(random_[1], 37);
  }
  words[0] = (words[0] & ~0xF000ULL) | 0x4000ULL;
  words[1] = (words[1] & ~(3ULL << 62)) | (2ULL << 62);
  static constexpr char digits[] = "0123456789abcdef";
  std::string id(36, '-');
  int nibble = 0;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) continue;
    id[i] = digits[words[nibble / 16] >> (60 - 4 * (nibble % 16)) & 15];
    ++nibble;
  }
  return id;
}

}  // namespace onceproxy::http
