// MessageReader: messages out of a body's bytes, each behind one byte of flags and four of its
// length, wherever reading stopped before. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onceproxy::grpc {

inline constexpr std::size_t prefix_bytes = 5;

/// What stands before a message of so many bytes, which is not compressed.
std::array<char, prefix_bytes> prefix_of(std::uint32_t message_bytes);

class MessageReader {
 public:
  explicit MessageReader(std::size_t message_bytes_max) : bytes_max_(message_bytes_max) {}

  enum class State {
    more,        ///< all of the bytes were taken, and the message is not whole
    whole,       ///< there may be more bytes, of the next message
    compressed,  ///< it is; nothing can be read any more
    malformed,   ///< the flags are none; the same
    too_large,   ///< the same
  };

  /// Takes from the front of `bytes` what belongs to the present message, and appends it to
  /// `message`; after a whole one, the next begins.
  State take(std::string_view& bytes, std::string& message);

  /// No part of a message was taken that is not whole.
  bool between_messages() const { return prefix_got_ == 0; }
  /// What the message has that was `too_large`.
  std::uint32_t length() const { return length_; }

 private:
  const std::size_t bytes_max_;
  std::array<unsigned char, prefix_bytes> prefix_{};
  std::size_t prefix_got_ = 0;
  std::uint32_t length_ = 0;
  /// Of the message, behind its prefix.
  std::size_t left_ = 0;
};

}  // namespace onceproxy::grpc
