// RequestReports: what is told of each request when it is over: one count in the metrics, one line
// in the access log, and, where they are switched on, a line of the capture and a trace's spans.
// Not thread-safe: its worker's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "policies/policy.hpp"
#include "proxy/http/forward_record.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/request_trace.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/telemetry/access_log.hpp"
#include "proxy/telemetry/capture.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::http {

/// A request that is over. Views and references are read during the call only.
struct RequestReport {
  const telemetry::AccessRecord& record;
  const RequestTrace& trace;
  const ForwardRecord& forward;
  const Setup& setup;
  const RequestHead& head;
  bool secure;
  /// nullptr: none covers it.
  const policies::Policy* policy;
  const std::optional<store::Fingerprint>& fingerprint;
  /// The request's body, where it was read whole.
  std::optional<std::string_view> body;
  /// The length of the service's answer, where its body was read whole.
  std::optional<std::uint64_t> answer_body_bytes;
  std::chrono::steady_clock::time_point began;
  std::chrono::steady_clock::time_point ended;
  /// nullptr: log.access_format gets no more than the record, or there is none.
  const telemetry::AccessDetails* details = nullptr;
};

class RequestReports {
 public:
  /// `recorder`: nullptr: nothing is traced. `capture`: nullptr: nothing is captured.
  RequestReports(telemetry::WorkerMetrics& metrics,
                 std::unique_ptr<telemetry::AccessLog::Writer> access_log,
                 std::unique_ptr<telemetry::Tracer::Recorder> recorder,
                 telemetry::Capture* capture);

  /// The trace of a request that begins; `traceparent` is its own, or empty.
  RequestTrace begin_trace(std::string_view traceparent) { return {recorder_.get(), traceparent}; }
  /// Its head, or its body, is refused.
  void refused(std::string_view reason) { metrics_.bad_request(reason); }
  /// A request was forwarded; `status` 0: there was no answer.
  void forwarded(telemetry::PolicyId id, int status, std::chrono::nanoseconds duration) {
    metrics_.upstream(id, status, duration);
  }
  /// A request is over.
  void ended(const RequestReport& report);
  /// A connection was refused before a request was read.
  void turned_away(const telemetry::AccessRecord& record, const Setup& setup);

  /// Hands on what was told since. To be called a few times a second.
  void flush();

 private:
  void capture(const RequestReport& report) const;

  telemetry::WorkerMetrics& metrics_;
  const std::unique_ptr<telemetry::AccessLog::Writer> access_log_;
  const std::unique_ptr<telemetry::Tracer::Recorder> recorder_;
  telemetry::Capture* const capture_;
};

}  // namespace onceproxy::http
