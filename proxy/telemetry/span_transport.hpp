// Span transport: sends one request to the collector and reads its answer. Uses libcurl, which is
// used nowhere else. It does not interpret the spans, and does not retry.
//
// Private to this folder and its tests. Thread-safety: send() is called by the exporter's thread;
// end_by() may be called by any.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace onceproxy::telemetry {

struct SpanReply {
  enum class Result {
    taken,
    /// Rejected; a retry would not help.
    refused,
    /// Not accepted now: the collector cannot be reached or is busy (OTLP 1.0, "retryable response
    /// codes").
    try_again,
  } result = Result::try_again;
  /// The delay that the collector requests; 0 if it requests none.
  std::chrono::seconds retry_after{0};
  /// The beginning of its answer, if it accepted them.
  std::string answer;
  /// The reason why it did not, for the log.
  std::string error;
};

class SpanTransport {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~SpanTransport() = default;
  virtual SpanReply send(std::string_view body, std::chrono::milliseconds timeout) = 0;
  /// No send() continues beyond that time, neither the current one nor a later one.
  virtual void end_by(Clock::time_point deadline) = 0;
};

/// `endpoint`: a complete http or https URL. Throws std::runtime_error if it is not valid. A proxy
/// in the environment is not used, because it is meant for the service's calls.
std::unique_ptr<SpanTransport> curl_transport(const std::string& endpoint);

}  // namespace onceproxy::telemetry
