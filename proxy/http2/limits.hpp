// Limits of HTTP/2 connections. Plain values, each with what it is for; a port has one set of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace onceproxy::http2 {

using std::chrono::milliseconds;

/// So many at once, and so many more each second.
struct Rate {
  std::uint32_t burst = 0;
  std::uint32_t per_second = 0;
};

struct Limits {
  /// Streams of one connection that are open, and handlers of its requests that run. A stream that
  /// was reset frees no place before its handler has ended.
  std::uint32_t streams = 1'000;

  /// All fields of a request, or of its trailers: names, values, and 32 bytes for each (RFC 9113,
  /// section 6.5.2). Above it the answer is 431.
  std::size_t header_bytes = 64 * 1024;
  std::size_t header_fields = 200;

  /// What a peer may send of one body, and of all together, that no handler has taken: what a
  /// connection can make us keep. At most 2^31-1; the second is at least 65,535.
  std::uint32_t stream_window = 256 * 1024;
  std::uint32_t connection_window = 1024 * 1024;

  /// From the connection to the client's first SETTINGS, the TLS handshake included, and from a
  /// header block's begin to its end.
  milliseconds header_timeout{10'000};
  /// Without a stream, the connection is closed.
  milliseconds idle_timeout{300'000};
  /// The peer has not sent anything for so long: it is sent a PING. Zero: never.
  milliseconds ping_interval{30'000};
  /// Nothing came since a PING for so long: the connection is closed.
  milliseconds ping_timeout{20'000};
  /// A peer that takes nothing of what is written for so long, on a stream or at all, is given up.
  milliseconds stall{60'000};

  // Frames that cost the receiver more than the sender. Beyond these rates the connection is closed
  // with ENHANCE_YOUR_CALM. Frames that carry something allow more of some of them; see
  // FloodGuard.

  /// RST_STREAM of the peer, and of ours that the peer provoked (CVE-2023-44487, CVE-2025-8671).
  Rate resets{1'000, 200};
  /// PING (CVE-2019-9512).
  Rate pings{1'000, 50};
  /// SETTINGS, acknowledgements included (CVE-2019-9515).
  Rate settings{100, 5};
  /// DATA without data or end, header blocks in empty pieces (CVE-2019-9518).
  Rate empty_frames{200, 20};
  /// PRIORITY and PRIORITY_UPDATE (CVE-2019-9513).
  Rate priorities{1'000, 50};
  Rate window_updates{2'000, 200};
  /// Frames of unknown types, and GOAWAY.
  Rate other_frames{100, 10};
  /// CONTINUATION frames of one header block (CVE-2024-28182), whose bytes may be twice
  /// header_bytes: fields that are a little too large are answered with 431.
  std::uint32_t continuations = 8;
};

}  // namespace onceproxy::http2
