// Http2Metrics: connections and streams of the HTTP/2 ports, refusals by reason, and gRPC calls by
// status. Each loop of a port has its own counters.
//
// Thread-safety: counters are written only by their loop's thread and read by any; add() and
// append() may be called by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
struct MetricFamily;
}

namespace onceproxy::telemetry {

/// The reason why a connection ended. `flood`: see http2_floods.
enum class Http2End {
  peer,
  idle,
  drained,
  ping,
  flood,
  protocol,
  timeout,
  broken,
  stopped,
  crowded
};
inline constexpr std::array<std::string_view, 10> http2_ends{
    "peer",     "idle",    "drained", "ping",    "flood",
    "protocol", "timeout", "broken",  "stopped", "crowded"};

/// The kind of frame of which a client sent too many.
inline constexpr std::array<std::string_view, 9> http2_floods{
    "resets",         "pings",        "settings",      "empty-frames", "priorities",
    "window-updates", "other-frames", "continuations", "unread"};

/// The reason why a request was refused before its handler was called: too many at once, fields too
/// large.
enum class Http2Refusal { streams, headers };
inline constexpr std::array<std::string_view, 2> http2_refusals{"streams", "headers"};

/// Streams that were reset, by side.
enum class Http2Reset { received, sent };
inline constexpr std::array<std::string_view, 2> http2_resets{"peer", "onceproxy"};

/// Indexed by gRPC's number of the status.
inline constexpr std::array<std::string_view, 17> grpc_codes{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

class alignas(64) Http2Counters {
 public:
  void connection_began() { add(connections_); }
  void connection_ended(Http2End why) {
    add(ended_[static_cast<std::size_t>(why)]);
    subtract(connections_);
  }
  void stream_began() {
    add(streams_);
    add(streams_total_);
  }
  void stream_ended() { subtract(streams_); }
  void reset(Http2Reset by) { add(resets_[static_cast<std::size_t>(by)]); }
  void refused(Http2Refusal why) { add(refusals_[static_cast<std::size_t>(why)]); }
  /// `flood`: an index of http2_floods.
  void flooded(std::size_t flood) { add(floods_[flood]); }
  /// A client read nothing of an answer for too long.
  void stalled() { add(stalled_); }
  /// Reading from a connection pauses because its client resets too many streams.
  void paused() { add(pauses_); }
  /// A connection could not be accepted because of a lack of descriptors or memory.
  void not_accepted() { add(accept_errors_); }
  /// A call has ended; `code`: gRPC's number of its status.
  void call_ended(std::size_t code) { add(calls_[code < calls_.size() ? code : 2]); }
  /// A handler threw an exception, or returned without a status.
  void handler_failed() { add(handler_failures_); }

  std::uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }
  std::uint64_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  friend class Http2Metrics;
  using Count = std::atomic<std::uint64_t>;
  // Written by one thread.
  static void add(Count& count) {
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void subtract(Count& count) {
    count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }

  Count connections_{0};
  std::array<Count, http2_ends.size()> ended_{};
  Count streams_{0};
  Count streams_total_{0};
  std::array<Count, http2_resets.size()> resets_{};
  std::array<Count, http2_refusals.size()> refusals_{};
  std::array<Count, http2_floods.size()> floods_{};
  Count stalled_{0};
  Count pauses_{0};
  Count accept_errors_{0};
  std::array<Count, grpc_codes.size()> calls_{};
  Count handler_failures_{0};
};

class Http2Metrics {
 public:
  /// Adds the counters of one more loop of `listener`; they are valid as long as this object. The
  /// listener's series are shown at zero from now on.
  Http2Counters& add(std::string_view listener);

  void append(std::vector<prometheus::MetricFamily>& families) const;

 private:
  struct Listener {
    std::string name;
    std::vector<std::unique_ptr<Http2Counters>> loops;
  };

  mutable std::mutex mutex_;
  std::vector<Listener> listeners_;
};

}  // namespace onceproxy::telemetry
