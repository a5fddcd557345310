// The access log: one line a request, on stdout. A worker formats into its own buffer; a writer
// thread writes whole buffers, so that a slow reader of stdout never holds up a worker. What the
// bounded queue cannot take is dropped and counted, in the metrics and in a line of its own.
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

/// One request, as it is logged. Views are read during the call only. Empty strings, negative
/// numbers and a status of 0 (no answer was sent) are left out of the line.
struct AccessRecord {
  std::string_view request_id;
  /// Hexadecimal; where requests are traced.
  std::string_view trace_id;
  std::string_view client;
  std::string_view method;
  /// The path as it came, without its query, which may hold secrets.
  std::string_view path;
  std::string_view policy;
  gate::Decision decision = gate::Decision::passed;
  /// What would have been decided, where the policy only watches.
  std::optional<gate::Decision> shadow;
  /// Hexadecimal.
  std::string_view fingerprint;
  int status = 0;
  std::int64_t request_bytes = -1;
  std::int64_t response_bytes = -1;
  std::chrono::nanoseconds duration{0};
  /// Negative: nothing was forwarded.
  std::chrono::nanoseconds upstream_duration{-1};
  /// Why a request failed, in words that hold no payload.
  std::string_view error;
};

class AccessLog {
 public:
  struct Options : LogOptions {
    /// Descriptor to write to.
    int descriptor = 1;
    /// What may wait for the writer thread before lines are dropped.
    std::size_t queue_bytes_max = 16 * 1024 * 1024;
  };
  /// `dropped` hears how many lines were lost, on a worker's thread or the log's, one call at a
  /// time, and never after the destructor. It must be quick and must not call back.
  AccessLog(Options options, std::function<void(std::uint64_t)> dropped);
  /// Writes what is queued, waiting for a slow reader no longer than a second; what is left then
  /// counts as dropped. Writers should be gone by now: what they hand over later is lost.
  ~AccessLog();

  class Writer {
   public:
    /// Below the log's level nothing is formatted: info for what went well, warn for
    /// upstream-error, store-error, busy and bad-request.
    void write(const AccessRecord& record);
    /// The same in a format of the configuration's.
    void write(const AccessRecord& record, const AccessFormat& format,
               const AccessDetails& details);
    /// Hands what is formatted to the writer thread; a worker calls it a few times a second.
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
