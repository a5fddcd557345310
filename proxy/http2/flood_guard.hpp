// FloodGuard: counts the frames of one connection that cost the server more than the client, and
// reports when there are too many. It limits resets, PING, SETTINGS, empty frames, priorities,
// window updates, frames of unknown types, and the frames and bytes of a header block. In addition,
// nghttp2 limits the acknowledgements that wait to be sent and the entries of one SETTINGS frame.
//
// Resets may also be paced: then the connection continues, and its reading pauses.
//
// Each kind has a bucket of tokens that is refilled as time passes. Frames that do the peer's work
// refill some of them: who sends or receives data may ask for its round trip time and must open
// windows, as often as the data needs it; and who was answered may reset what is left of the
// stream.
//
// Time is passed in. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http2/frame_heads.hpp"
#include "proxy/http2/limits.hpp"

namespace onceproxy::http2 {

/// The kind of frame of which there were too many. The first seven have buckets.
enum class Flood {
  resets,
  pings,
  settings,
  empty_frames,
  priorities,
  window_updates,
  other_frames,
  continuations,  ///< frames or bytes of a header block
  unread,         ///< replies that the peer does not read
};
inline constexpr std::size_t bucket_count = 7;
inline constexpr std::array<std::string_view, 9> flood_names{
    "resets",         "pings",        "settings",      "empty-frames", "priorities",
    "window-updates", "other-frames", "continuations", "unread"};
inline std::string_view name_of(Flood flood) {
  return flood_names[static_cast<std::size_t>(flood)];
}

class FloodGuard {
 public:
  using Clock = std::chrono::steady_clock;

  FloodGuard(const Limits& limits, Clock::time_point now);

  /// A frame of the client has begun. Returns a value if it exceeds a limit.
  std::optional<Flood> received(const FrameHead& head, Clock::time_point now);
  /// The server has reset a stream because of the client's behaviour.
  std::optional<Flood> reset_sent(Clock::time_point now);
  /// The server has sent a DATA frame that was not empty.
  void data_sent();
  /// We have sent the head of an answer.
  void answer_sent();

  /// With Limits::pace_resets: how long nothing should be read, so that resets stay within their
  /// rate. Zero: reading may go on.
  std::chrono::milliseconds pause(Clock::time_point now) const;

  /// Whether a header block has begun and not ended.
  bool in_header_block() const { return in_block_; }
  /// The number of header blocks that have begun.
  std::uint64_t header_blocks() const { return blocks_; }

 private:
  struct Bucket {
    Rate rate;
    double tokens = 0;
    Clock::time_point filled;
  };

  std::optional<Flood> take(Flood which, Clock::time_point now);
  void give(Flood which, std::uint32_t tokens);
  std::optional<Flood> header_block(const FrameHead& head);
  std::optional<Flood> data(const FrameHead& head, Clock::time_point now);

  const std::size_t block_bytes_max_;
  const std::uint32_t continuations_max_;
  const bool paces_resets_;
  std::array<Bucket, bucket_count> buckets_;
  bool in_block_ = false;
  std::uint64_t blocks_ = 0;
  std::size_t block_bytes_ = 0;
  std::uint32_t continuations_ = 0;
  /// How many streams may yet be ended by an empty DATA frame.
  std::uint64_t streams_to_end_ = 0;
};

}  // namespace onceproxy::http2
