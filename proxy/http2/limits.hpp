// Limits of HTTP/2 connections, as plain values. A port has one set of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace onceproxy::http2 {

using std::chrono::milliseconds;

/// `burst` frames at once, and `per_second` more in each second.
struct Rate {
  std::uint32_t burst = 0;
  std::uint32_t per_second = 0;
};

struct Limits {
  /// The number of open streams of one connection.
  std::uint32_t streams = 1'000;
  /// The number of running handlers of one connection, including handlers of streams that were
  /// reset. Above it, new streams are refused. 0: the same as `streams`.
  std::uint32_t handlers = 0;
  std::uint32_t handlers_max() const { return handlers > 0 ? handlers : streams; }

  /// The size of all fields of a request, or of its trailers: names, values, and 32 bytes for each
  /// (RFC 9113, section 6.5.2). Larger requests get 431.
  std::size_t header_bytes = 64 * 1024;
  std::size_t header_fields = 200;

  /// How many bytes of one body, and of all bodies together, a client may send that no handler has
  /// taken. This limits the memory of a connection. At most 2^31-1; the second is at least 65,535.
  std::uint32_t stream_window = 256 * 1024;
  std::uint32_t connection_window = 1024 * 1024;

  /// The time from the connection to the client's first SETTINGS, including the TLS handshake, and
  /// from the begin of a header block to its end.
  milliseconds header_timeout{10'000};
  /// A connection without a stream is closed after this time.
  milliseconds idle_timeout{300'000};
  /// If a client connects while all slots for connections are in use, one that has been without a
  /// stream, or in its handshake, for this time is closed for later clients.
  milliseconds give_way_after{1'000};
  /// If the client has sent nothing for this time, it is sent a PING. Zero: never.
  milliseconds ping_interval{30'000};
  /// If nothing arrives for this time after a PING, the connection is closed.
  milliseconds ping_timeout{20'000};
  /// If a client reads nothing of the output for this time, on a stream or at all, the stream or
  /// connection is closed.
  milliseconds stall{60'000};

  // Frames that cost the receiver more than the sender. Above these rates the connection is closed
  // with ENHANCE_YOUR_CALM. Useful frames raise some of the limits; see FloodGuard.

  /// RST_STREAM frames of the client, and those of the server that the client provoked
  /// (CVE-2023-44487, CVE-2025-8671).
  Rate resets{1'000, 200};
  /// If true, too many resets do not close the connection. Instead, nothing is read from it until
  /// the resets are within their rate. For a client that forwards the requests of others.
  bool pace_resets = false;
  /// PING (CVE-2019-9512).
  Rate pings{1'000, 50};
  /// SETTINGS, including acknowledgements (CVE-2019-9515).
  Rate settings{100, 5};
  /// DATA frames that have no data, or nothing but padding, and end no stream, and empty parts of
  /// header blocks (CVE-2019-9518). A padded frame of at most 256 bytes counts as one.
  Rate empty_frames{200, 20};
  /// PRIORITY and PRIORITY_UPDATE (CVE-2019-9513).
  Rate priorities{1'000, 50};
  Rate window_updates{2'000, 200};
  /// Frames of unknown types, and GOAWAY.
  Rate other_frames{100, 10};
  /// CONTINUATION frames of one header block (CVE-2024-28182). A header block may have twice
  /// header_bytes, so that slightly too large fields are answered with 431.
  std::uint32_t continuations = 8;
};

}  // namespace onceproxy::http2
