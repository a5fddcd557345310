// The access log: one line for each request, on stdout. A worker formats lines into its own buffer,
// and a writer thread writes whole buffers, so that a slow reader of stdout does not delay a
// worker. Lines that do not fit into the limited queue are dropped and counted, in the metrics and
// in a line of the log.
//
// Thread-safety: AccessLog is thread-safe; a Writer belongs to one worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/gate/decision.hpp"
#include "proxy/telemetry/access_details.hpp"
#include "proxy/telemetry/access_format.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::telemetry {

/// One request for the log. Views are read only during the call. Empty strings, negative numbers
/// and a status of 0 (no answer was sent) are left out of the line.
struct AccessRecord {
  std::string_view request_id;
  /// Hexadecimal; empty if tracing is off.
  std::string_view trace_id;
  std::string_view client;
  std::string_view method;
  /// The unchanged path, without its query, which may contain secrets.
  std::string_view path;
  std::string_view policy;
  gate::Decision decision = gate::Decision::passed;
  /// The decision of an enforced policy, if the policy is in shadow mode.
  std::optional<gate::Decision> shadow;
  /// Hexadecimal.
  std::string_view fingerprint;
  int status = 0;
  std::int64_t request_bytes = -1;
  std::int64_t response_bytes = -1;
  std::chrono::nanoseconds duration{0};
  /// Negative if nothing was forwarded.
  std::chrono::nanoseconds upstream_duration{-1};
  /// The reason why a request failed, without its payload.
  std::string_view error;
};

class AccessLog {
 public:
  struct Options : LogOptions {
    /// The descriptor for output.
    int descriptor = 1;
    /// The largest size of lines that wait for the writer thread.
    std::size_t queue_bytes_max = 16 * 1024 * 1024;
  };
  /// `dropped` is called with the number of lost lines, on a worker's thread or the log's, one call
  /// at a time, and never after the destructor. It must be quick and must not call back.
  AccessLog(Options options, std::function<void(std::uint64_t)> dropped);
  /// Writes the queued lines, and waits for a slow reader at most one second; the rest counts as
  /// dropped. Writers should have ended; lines that they pass on later are lost.
  ~AccessLog();

  class Writer {
   public:
    /// Lines below the log's level are not formatted: info for successful requests, warn for
    /// upstream-error, store-error, busy and bad-request.
    void write(const AccessRecord& record);
    /// The same in a configured format.
    void write(const AccessRecord& record, const AccessFormat& format,
               const AccessDetails& details);
    /// Passes the formatted lines to the writer thread; a worker calls it a few times a second.
    void flush();
    ~Writer();

   private:
    friend class AccessLog;
    struct State;
    explicit Writer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  std::unique_ptr<Writer> add_writer();
  // For the lines that follow.
  void set_level(LogLevel level);
  void set_format(LogFormat format);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace onceproxy::telemetry
