// FrameHeads: finds the heads of HTTP/2 frames (RFC 9113, section 4.1) in the bytes that a client
// sends, in pieces of any size. nghttp2 does not report all frames that it ignores. FrameHeads
// reports all frames, because the limits must count them.
//
// It does not check the frames and keeps nine bytes. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::http2 {

enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
  priority_update = 16,
};

inline constexpr std::uint8_t flag_end_stream = 0x1;
inline constexpr std::uint8_t flag_end_headers = 0x4;
inline constexpr std::uint8_t flag_padded = 0x8;

struct FrameHead {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;

  bool is(FrameType which) const { return type == static_cast<std::uint8_t>(which); }
};

class FrameHeads {
 public:
  static constexpr std::size_t head_bytes = 9;
  /// The connection preface of a client (RFC 9113, section 3.4). nghttp2 checks its contents.
  static constexpr std::size_t preface_bytes = 24;

  /// Returns the next head that is completed by `bytes`, and removes the bytes up to it. Returns
  /// nothing when all bytes have been consumed; the next call continues with the bytes that follow.
  std::optional<FrameHead> next(std::string_view& bytes);

  /// Whether no frame has been complete so far.
  bool before_first() const { return first_; }

 private:
  std::array<unsigned char, head_bytes> head_{};
  std::size_t got_ = 0;
  /// The remaining bytes of a payload or of the preface, which are skipped.
  std::size_t skip_ = preface_bytes;
  bool first_ = true;
};

}  // namespace onceproxy::http2
