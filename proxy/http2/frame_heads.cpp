#include "proxy/http2/frame_heads.hpp"

#include <algorithm>

namespace onceproxy::http2 {

std::optional<FrameHead> FrameHeads::next(std::string_view& bytes) {
  const std::size_t skipped = std::min(skip_, bytes.size());
  bytes.remove_prefix(skipped);
  skip_ -= skipped;
  if (bytes.empty()) return std::nullopt;

  const std::size_t taken = std::min(head_bytes - got_, bytes.size());
  std::copy_n(bytes.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(got_));
  bytes.remove_prefix(taken);
  got_ += taken;
  if (got_ < head_bytes) return std::nullopt;

  got_ = 0;
  first_ = false;
  FrameHead head;
  head.length = std::uint32_t{head_[0]} << 16 | std::uint32_t{head_[1]} << 8 | head_[2];
  head.type = head_[3];
  head.flags = head_[4];
  head.stream = (std::uint32_t{head_[5]} & 0x7f) << 24 | std::uint32_t{head_[6]} << 16 |
                std::uint32_t{head_[7]} << 8 | head_[8];
  skip_ = head.length;
  return head;
}

}  // namespace onceproxy::http2
