// MessageReader: splits the bytes of a body into messages, in pieces of any size. Each message
// follows one byte of flags and four bytes with its length. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onceproxy::grpc {

inline constexpr std::size_t prefix_bytes = 5;

/// The prefix of an uncompressed message of this size.
std::array<char, prefix_bytes> prefix_of(std::uint32_t message_bytes);

class MessageReader {
 public:
  explicit MessageReader(std::size_t message_bytes_max) : bytes_max_(message_bytes_max) {}

  enum class State {
    more,        ///< all bytes were taken, and the message is incomplete
    whole,       ///< the message is complete; there may be bytes of the next one
    compressed,  ///< the message is compressed; nothing more can be read
    malformed,   ///< the flags are not valid; nothing more can be read
    too_large,   ///< nothing more can be read
  };

  /// Removes the bytes of the current message from the front of `bytes` and appends them to
  /// `message`. After a whole message the next call begins the next one.
  State take(std::string_view& bytes, std::string& message);

  /// Whether no message has been read in part.
  bool between_messages() const { return prefix_got_ == 0; }
  /// The length of the message that was `too_large`.
  std::uint32_t length() const { return length_; }

 private:
  const std::size_t bytes_max_;
  std::array<unsigned char, prefix_bytes> prefix_{};
  std::size_t prefix_got_ = 0;
  std::uint32_t length_ = 0;
  /// The remaining bytes of the message.
  std::size_t left_ = 0;
};

}  // namespace onceproxy::grpc
