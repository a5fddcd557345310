// Span transport: one request to the collector and its answer. The home of libcurl. It knows
// nothing of what it carries, and does not try again.
//
// Private to this folder and its tests.
// Thread-safety: send() belongs to the exporter's thread; end_by() may be called from any.
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
    /// Not taken, and would not be a second time.
    refused,
    /// Not accepted now: the collector cannot be reached or is busy (OTLP 1.0, "retryable response
    /// codes").
    try_again,
  } result = Result::try_again;
  /// How long the collector asks to be left alone; 0 where it does not say.
  std::chrono::seconds retry_after{0};
  /// The beginning of its answer, where it took them.
  std::string answer;
  /// Why it did not, for the log.
  std::string error;
};

class SpanTransport {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~SpanTransport() = default;
  virtual SpanReply send(std::string_view body, std::chrono::milliseconds timeout) = 0;
  /// No send() goes on beyond that, neither the one under way nor a later one.
  virtual void end_by(Clock::time_point deadline) = 0;
};

/// `endpoint` is an http or https URL, whole. Throws std::runtime_error where it is none. It is
/// asked directly, whatever proxy the environment names: that one is for what the service calls.
std::unique_ptr<SpanTransport> curl_transport(const std::string& endpoint);

}  // namespace onceproxy::telemetry
