// Capture: requests as they came, one JSON line each, in a file that `onceproxy backtest` reads. A
// worker formats a line and hands it over; a thread of its own writes, so that a slow disk holds up
// nobody. What the bounded queue cannot take, what does not fit into the file any more, and what
// cannot be written is dropped and counted.
//
// A line holds the request's head and body and what the service answered: secrets too, but for the
// fields that are redacted. The file is for its owner alone.
//
// Thread-safety: thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/gate/decision.hpp"
#include "proxy/telemetry/options.hpp"

namespace onceproxy::telemetry {

/// Views are read during the call only.
struct CapturedRequest {
  /// When its head was there.
  std::chrono::system_clock::time_point time;
  std::string_view method;
  /// Path and query as they came.
  std::string_view target;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  /// Absent: it was streamed and not kept.
  std::optional<std::string_view> body;
  std::uint64_t body_bytes = 0;
  /// The service's own answer; absent: none was asked for, or it was the answer to another request.
  std::optional<int> status;
  /// False: nothing of it reached the service, though it was to.
  bool sent = true;
  std::chrono::nanoseconds duration{0};
  /// Of the answer's body; where it was not read whole, of the answer with its head.
  std::uint64_t response_bytes = 0;
  std::string_view policy;
  gate::Decision decision = gate::Decision::passed;
  /// The operation, where it is known: 32 bytes.
  std::string_view fingerprint;
};

enum class CaptureLoss {
  queue,  ///< lines came faster than they could be written
  full,   ///< the file has its size
  write,  ///< the file could not be written or opened
};
inline constexpr std::size_t capture_loss_count = 3;

class Capture {
 public:
  struct Hooks {
    /// Stands in for a redacted value: the same for the same value, and nothing that it could be
    /// found out from.
    std::function<std::string(std::string_view value)> disguise;
    /// From the writing thread or a worker's; must be quick.
    std::function<void(std::uint64_t lines)> written;
    std::function<void(CaptureLoss why, std::uint64_t lines)> lost;
  };
  explicit Capture(Hooks hooks);
  /// Writes what is queued.
  ~Capture();

  /// Begins, changes or, with nothing, ends the capture, from the requests on that end from now.
  /// Throws std::system_error where the file cannot be opened; then nothing was changed.
  void configure(const std::optional<CaptureOptions>& options);

  bool on() const { return on_.load(std::memory_order_relaxed); }
  void write(const CapturedRequest& request);

 private:
  class Writer;

  std::shared_ptr<Writer> writer() const;

  const Hooks hooks_;
  std::atomic<bool> on_ = false;
  mutable std::mutex mutex_;
  std::shared_ptr<Writer> writer_;
};

}  // namespace onceproxy::telemetry
