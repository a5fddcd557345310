// Capture: writes requests, one JSON line each, to a file that `onceproxy backtest` reads. A worker
// formats a line and passes it on, and a separate thread writes, so that a slow disk delays no
// request. Lines are dropped and counted if they do not fit into the limited queue or the file, or
// cannot be written.
//
// A line contains the request's head and body and the service's answer, including secrets, except
// for redacted fields. Only the file's owner may read it.
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

/// Views are read only during the call.
struct CapturedRequest {
  /// When its head had arrived.
  std::chrono::system_clock::time_point time;
  std::string_view method;
  /// The unchanged path and query.
  std::string_view target;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  /// Absent if it was streamed and not kept.
  std::optional<std::string_view> body;
  std::uint64_t body_bytes = 0;
  /// The service's own answer; absent if there was no forward, or if the answer was stored for
  /// another request.
  std::optional<int> status;
  /// False if the request should have been forwarded and no byte reached the service.
  bool sent = true;
  std::chrono::nanoseconds duration{0};
  /// The time of the answer's body; of the answer with its head if the body was not read
  /// completely.
  std::uint64_t response_bytes = 0;
  std::string_view policy;
  gate::Decision decision = gate::Decision::passed;
  /// The operation, if it is known: 32 bytes.
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
    /// Makes the replacement of a redacted value: the same for equal values, from which the value
    /// cannot be determined.
    std::function<std::string(std::string_view value)> disguise;
    /// Called by the writing thread or a worker; must be quick.
    std::function<void(std::uint64_t lines)> written;
    std::function<void(CaptureLoss why, std::uint64_t lines)> lost;
  };
  explicit Capture(Hooks hooks);
  /// Writes what is queued.
  ~Capture();

  /// Begins, changes or (without options) ends the capture, from the requests that end after this
  /// call. Throws std::system_error if the file cannot be opened; nothing changes in this case.
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
