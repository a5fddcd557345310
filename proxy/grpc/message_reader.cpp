#include "proxy/grpc/message_reader.hpp"

#include <algorithm>

namespace onceproxy::grpc {

std::array<char, prefix_bytes> prefix_of(std::uint32_t message_bytes) {
  return {0, static_cast<char>(message_bytes >> 24), static_cast<char>(message_bytes >> 16),
          static_cast<char>(message_bytes >> 8), static_cast<char>(message_bytes)};
}

MessageReader::State MessageReader::take(std::string_view& bytes, std::string& message) {
  if (prefix_got_ < prefix_bytes) {
    const std::size_t taken = std::min(prefix_bytes - prefix_got_, bytes.size());
    std::copy_n(bytes.begin(), taken, prefix_.begin() + static_cast<std::ptrdiff_t>(prefix_got_));
    bytes.remove_prefix(taken);
    prefix_got_ += taken;
    if (prefix_got_ < prefix_bytes) return State::more;
    length_ = std::uint32_t{prefix_[1]} << 24 | std::uint32_t{prefix_[2]} << 16 |
              std::uint32_t{prefix_[3]} << 8 | prefix_[4];
    left_ = length_;
  }
  if (prefix_[0] > 1) return State::malformed;
  if (length_ > bytes_max_) return State::too_large;
  if (prefix_[0] == 1) return State::compressed;
  const std::size_t taken = std::min(left_, bytes.size());
  message.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  left_ -= taken;
  if (left_ > 0) return State::more;
  prefix_got_ = 0;
  return State::whole;
}

}  // namespace onceproxy::grpc
