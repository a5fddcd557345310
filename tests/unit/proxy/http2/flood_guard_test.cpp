#include "proxy/http2/flood_guard.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::http2 {
namespace {

using Clock = FloodGuard::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point start{seconds(1'000)};

FrameHead head(FrameType type, std::uint32_t length = 8, std::uint8_t flags = 0) {
  return {length, static_cast<std::uint8_t>(type), flags, 1};
}

/// How many in a row are taken, at most 100,000.
int taken(FloodGuard& guard, const FrameHead& which, Clock::time_point now,
          std::optional<Flood>* why = nullptr) {
  for (int count = 0; count < 100'000; ++count) {
    const auto flood = guard.received(which, now);
    if (!flood) continue;
    if (why != nullptr) *why = flood;
    return count;
  }
  return 100'000;
}

}  // namespace

TEST_CASE("each kind has its burst, and no more at once") {
  Limits limits;
  limits.resets = {10, 1};
  limits.pings = {11, 1};
  limits.settings = {12, 1};
  limits.empty_frames = {13, 1};
  limits.priorities = {14, 1};
  limits.window_updates = {15, 1};
  limits.other_frames = {16, 1};
  FloodGuard guard(limits, start);
  std::optional<Flood> why;
  CHECK(taken(guard, head(FrameType::rst_stream), start, &why) == 10);
  CHECK(why == Flood::resets);
  CHECK(taken(guard, head(FrameType::ping), start, &why) == 11);
  CHECK(why == Flood::pings);
  CHECK(taken(guard, head(FrameType::settings), start, &why) == 12);
  CHECK(why == Flood::settings);
  CHECK(taken(guard, head(FrameType::data, 0), start, &why) == 13);
  CHECK(why == Flood::empty_frames);
  CHECK(taken(guard, head(FrameType::priority), start, &why) == 14);
  CHECK(taken(guard, head(FrameType::priority_update), start, &why) == 0);
  CHECK(why == Flood::priorities);
  CHECK(taken(guard, head(FrameType::window_update), start, &why) == 15);
  CHECK(why == Flood::window_updates);
  CHECK(taken(guard, head(FrameType::goaway), start, &why) == 16);
  CHECK(taken(guard, {8, 0x77, 0, 0}, start, &why) == 0);
  CHECK(why == Flood::other_frames);
}

TEST_CASE("time refills a bucket up to its burst") {
  Limits limits;
  limits.pings = {10, 5};
  FloodGuard guard(limits, start);
  const FrameHead ping = head(FrameType::ping);
  CHECK(taken(guard, ping, start) == 10);
  CHECK(taken(guard, ping, start + milliseconds(999)) == 4);
  CHECK(taken(guard, ping, start + seconds(100)) == 10);
}

TEST_CASE("what the peer provokes counts with its own resets") {
  Limits limits;
  limits.resets = {2, 1};
  FloodGuard guard(limits, start);
  CHECK_FALSE(guard.reset_sent(start));
  CHECK_FALSE(guard.received(head(FrameType::rst_stream), start));
  CHECK(guard.reset_sent(start) == Flood::resets);
}

TEST_CASE("paced resets are no flood, and reading pauses until their rate is kept") {
  Limits limits;
  limits.resets = {10, 100};
  limits.pings = {5, 1};
  limits.pace_resets = true;
  FloodGuard guard(limits, start);
  const FrameHead reset = head(FrameType::rst_stream);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(guard.received(reset, start));
  CHECK(guard.pause(start) == milliseconds(0));
  for (int i = 0; i < 25; ++i) CHECK_FALSE(guard.received(reset, start));
  CHECK_FALSE(guard.reset_sent(start));
  CHECK(guard.pause(start) == milliseconds(260));
  CHECK(guard.pause(start + milliseconds(200)) == milliseconds(60));
  CHECK(guard.pause(start + milliseconds(260)) == milliseconds(0));
  CHECK(guard.pause(start + seconds(1)) == milliseconds(0));
  // All other kinds have their limits.
  CHECK(taken(guard, head(FrameType::ping), start) == 5);
}

TEST_CASE("data, and the end of a stream, may come in any number") {
  FloodGuard guard(Limits(), start);
  CHECK(taken(guard, head(FrameType::data, 1), start) == 100'000);
  CHECK(taken(guard, head(FrameType::headers, 9, flag_end_headers), start) == 100'000);
  CHECK(taken(guard, head(FrameType::data, 0, flag_end_stream), start) == 100'000);
}

TEST_CASE("a stream ends once, and further empty ends are empty frames") {
  Limits limits;
  limits.empty_frames = {3, 1};
  FloodGuard guard(limits, start);
  CHECK_FALSE(guard.received(head(FrameType::headers, 9, flag_end_headers), start));
  // This one ends with its head.
  CHECK_FALSE(
      guard.received(head(FrameType::headers, 9, flag_end_headers | flag_end_stream), start));
  std::optional<Flood> why;
  CHECK(taken(guard, head(FrameType::data, 0, flag_end_stream), start, &why) == 1 + 3);
  CHECK(why == Flood::empty_frames);
}

TEST_CASE("data that may be padding alone counts as empty, and allows nothing") {
  Limits limits;
  limits.empty_frames = {3, 1};
  limits.pings = {10, 1};
  FloodGuard guard(limits, start);
  std::optional<Flood> why;
  CHECK(taken(guard, head(FrameType::data, 1, flag_padded), start, &why) == 3);
  CHECK(why == Flood::empty_frames);
  CHECK(taken(guard, head(FrameType::data, 256, flag_padded), start) == 0);
  CHECK(taken(guard, head(FrameType::ping), start) == 10);
  CHECK(taken(guard, head(FrameType::data, 257, flag_padded), start) == 100'000);
  // The end of a stream may be padded.
  CHECK_FALSE(guard.received(head(FrameType::headers, 9, flag_end_headers), start));
  CHECK_FALSE(guard.received(head(FrameType::data, 1, flag_padded | flag_end_stream), start));
}

TEST_CASE("data allows pings and windows, and does not save them up without end") {
  Limits limits;
  limits.pings = {10, 1};
  limits.window_updates = {10, 1};
  FloodGuard guard(limits, start);
  const FrameHead ping = head(FrameType::ping);
  for (int i = 0; i < 1'000; ++i) {
    REQUIRE_FALSE(guard.received(head(FrameType::data, 1), start));
    guard.data_sent();
    REQUIRE_FALSE(guard.received(ping, start));
    REQUIRE_FALSE(guard.received(head(FrameType::window_update, 4), start));
  }
  guard.data_sent();
  CHECK(taken(guard, ping, start) == 20);
  CHECK(taken(guard, head(FrameType::window_update, 4), start) == 20);
}

TEST_CASE("a header block has few frames and few bytes") {
  Limits limits;
  limits.header_bytes = 1'000;
  limits.continuations = 3;
  FloodGuard guard(limits, start);
  const FrameHead more = head(FrameType::continuation, 10);
  CHECK_FALSE(guard.in_header_block());
  CHECK_FALSE(guard.received(head(FrameType::headers, 10), start));
  CHECK(guard.in_header_block());
  CHECK(guard.header_blocks() == 1);
  CHECK(taken(guard, more, start) == 3);

  // Another block begins anew.
  CHECK_FALSE(guard.received(head(FrameType::headers, 10), start));
  CHECK_FALSE(guard.received(head(FrameType::continuation, 10, flag_end_headers), start));
  CHECK_FALSE(guard.in_header_block());
  CHECK(guard.header_blocks() == 2);

  CHECK_FALSE(guard.received(head(FrameType::headers, 1'990), start));
  CHECK(guard.received(head(FrameType::continuation, 11), start) == Flood::continuations);
}

TEST_CASE("a header block in empty pieces counts as empty frames") {
  Limits limits;
  limits.empty_frames = {2, 1};
  limits.continuations = 100;
  FloodGuard guard(limits, start);
  CHECK_FALSE(guard.received(head(FrameType::headers, 10), start));
  std::optional<Flood> why;
  CHECK(taken(guard, head(FrameType::continuation, 0), start, &why) == 2);
  CHECK(why == Flood::empty_frames);
}

TEST_CASE("who was answered may reset what is left of the stream") {
  Limits limits;
  limits.resets = {10, 1};
  FloodGuard guard(limits, start);
  for (int i = 0; i < 100; ++i) {
    guard.answer_sent();
    CHECK_FALSE(guard.received(head(FrameType::rst_stream), start));
  }
  CHECK(taken(guard, head(FrameType::rst_stream), start) == 10);
  // What answers allow is not saved up without end.
  for (int i = 0; i < 100; ++i) guard.answer_sent();
  CHECK(taken(guard, head(FrameType::rst_stream), start) == 20);
}

}  // namespace onceproxy::http2
