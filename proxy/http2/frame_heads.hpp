// FrameHeads: the heads of HTTP/2 frames (RFC 9113, section 4.1) in what a client sends, wherever
// reading stopped before. nghttp2 does not tell of every frame that it ignores; this sees all of
// them, which is what a bound has to count.
//
// It judges nothing and keeps nine bytes. Not thread-safe.
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
  /// What a client sends first (RFC 9113, section 3.4); its contents are nghttp2's to check.
  static constexpr std::size_t preface_bytes = 24;

  /// The next head that ends in `bytes`, which is shortened by what was looked at; nothing: all of
  /// it was, and the next call goes on with what comes behind.
  std::optional<FrameHead> next(std::string_view& bytes);

  /// No frame has come whole so far.
  bool before_first() const { return first_; }

 private:
  std::array<unsigned char, head_bytes> head_{};
  std::size_t got_ = 0;
  /// Of a payload, or of the preface: to be passed over.
  std::size_t skip_ = preface_bytes;
  bool first_ = true;
};

}  // namespace onceproxy::http2
