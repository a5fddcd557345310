#include "proxy/http2/flood_guard.hpp"

#include <algorithm>

namespace onceproxy::http2 {

namespace {

// How many other frames a useful frame allows.
constexpr std::uint32_t pings_each_data = 2;
/// For the stream and for the connection, in several steps (the same value as in Envoy).
constexpr std::uint32_t window_updates_each_data = 10;
constexpr std::uint32_t window_updates_each_stream = 4;
constexpr std::uint32_t priorities_each_stream = 4;
constexpr std::uint32_t resets_each_answer = 1;
/// Padding with the byte that has its length (RFC 9113, section 6.1).
constexpr std::uint32_t padding_bytes_max = 256;

}  // namespace

FloodGuard::FloodGuard(const Limits& limits, Clock::time_point now)
    : block_bytes_max_(2 * limits.header_bytes),
      continuations_max_(limits.continuations),
      paces_resets_(limits.pace_resets) {
  const std::array<Rate, bucket_count> rates{
      limits.resets,     limits.pings,          limits.settings,    limits.empty_frames,
      limits.priorities, limits.window_updates, limits.other_frames};
  for (std::size_t i = 0; i < bucket_count; ++i) {
    buckets_[i] = {rates[i], static_cast<double>(rates[i].burst), now};
  }
}

std::optional<Flood> FloodGuard::take(Flood which, Clock::time_point now) {
  Bucket& bucket = buckets_[static_cast<std::size_t>(which)];
  const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.filled = now;
  // Tokens above the burst, which frames have added, stay until they are used.
  const auto burst = static_cast<double>(bucket.rate.burst);
  if (bucket.tokens < burst) {
    bucket.tokens = std::min(burst, bucket.tokens + seconds * bucket.rate.per_second);
  }
  const bool paced = paces_resets_ && which == Flood::resets;
  if (bucket.tokens < 1 && !paced) return which;
  bucket.tokens -= 1;
  return std::nullopt;
}

std::chrono::milliseconds FloodGuard::pause(Clock::time_point now) const {
  using Seconds = std::chrono::duration<double>;
  const Bucket& bucket = buckets_[static_cast<std::size_t>(Flood::resets)];
  if (!paces_resets_ || bucket.tokens >= 0) return std::chrono::milliseconds(0);
  const Seconds until_none_is_owed(-bucket.tokens / bucket.rate.per_second);
  const Seconds left = until_none_is_owed - Seconds(now - bucket.filled);
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds(0));
}

void FloodGuard::give(Flood which, std::uint32_t tokens) {
  Bucket& bucket = buckets_[static_cast<std::size_t>(which)];
  bucket.tokens = std::min(bucket.tokens + tokens, 2.0 * bucket.rate.burst);
}

void FloodGuard::data_sent() {
  give(Flood::pings, pings_each_data);
  give(Flood::window_updates, window_updates_each_data);
}

void FloodGuard::answer_sent() {
  give(Flood::resets, resets_each_answer);
}

std::optional<Flood> FloodGuard::reset_sent(Clock::time_point now) {
  return take(Flood::resets, now);
}

/// Handles HEADERS or CONTINUATION.
std::optional<Flood> FloodGuard::header_block(const FrameHead& head) {
  if (head.is(FrameType::continuation)) {
    if (++continuations_ > continuations_max_) return Flood::continuations;
  } else {
    ++blocks_;
    block_bytes_ = 0;
    continuations_ = 0;
  }
  in_block_ = (head.flags & flag_end_headers) == 0;
  block_bytes_ += head.length;
  if (block_bytes_ > block_bytes_max_) return Flood::continuations;
  return std::nullopt;
}

std::optional<Flood> FloodGuard::data(const FrameHead& head, Clock::time_point now) {
  // The length of the padding is in the payload and not known here.
  const bool may_be_padding = (head.flags & flag_padded) != 0 && head.length <= padding_bytes_max;
  if (head.length > 0 && !may_be_padding) {
    give(Flood::pings, pings_each_data);
    return std::nullopt;
  }
  if ((head.flags & flag_end_stream) != 0 && streams_to_end_ > 0) {
    --streams_to_end_;
    return std::nullopt;
  }
  return take(Flood::empty_frames, now);
}

std::optional<Flood> FloodGuard::received(const FrameHead& head, Clock::time_point now) {
  switch (static_cast<FrameType>(head.type)) {
    case FrameType::data:
      return data(head, now);
    case FrameType::headers:
      if ((head.flags & flag_end_stream) == 0) ++streams_to_end_;
      give(Flood::priorities, priorities_each_stream);
      give(Flood::window_updates, window_updates_each_stream);
      [[fallthrough]];
    case FrameType::continuation:
      if (const auto flood = header_block(head)) return flood;
      if (head.length > 0) return std::nullopt;
      return take(Flood::empty_frames, now);
    case FrameType::priority:
    case FrameType::priority_update:
      return take(Flood::priorities, now);
    case FrameType::rst_stream:
      return take(Flood::resets, now);
    case FrameType::settings:
      return take(Flood::settings, now);
    case FrameType::ping:
      return take(Flood::pings, now);
    case FrameType::window_update:
      return take(Flood::window_updates, now);
    default:
      return take(Flood::other_frames, now);
  }
}

}  // namespace onceproxy::http2
