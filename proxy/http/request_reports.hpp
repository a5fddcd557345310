// RequestReports: reports each request when it has ended: in the metrics, in the access log and, if
// they are enabled, in the capture and the trace. Not thread-safe: used on its worker's loop.
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

/// A request that has ended. Views and references are read only during the call.
struct RequestReport {
  const telemetry::AccessRecord& record;
  const RequestTrace& trace;
  const ForwardRecord& forward;
  const Setup& setup;
  const RequestHead& head;
  bool secure;
  /// nullptr if no policy covers it.
  const policies::Policy* policy;
  const std::optional<store::Fingerprint>& fingerprint;
  /// The request's body, if it was read completely.
  std::optional<std::string_view> body;
  /// The length of the service's answer, if its body was read completely.
  std::optional<std::uint64_t> answer_body_bytes;
  std::chrono::steady_clock::time_point began;
  std::chrono::steady_clock::time_point ended;
  /// nullptr if log.access_format needs only the record, or is not configured.
  const telemetry::AccessDetails* details = nullptr;
};

class RequestReports {
 public:
  /// `recorder`: nullptr if tracing is off. `capture`: nullptr if capturing is off.
  RequestReports(telemetry::WorkerMetrics& metrics,
                 std::unique_ptr<telemetry::AccessLog::Writer> access_log,
                 std::unique_ptr<telemetry::Tracer::Recorder> recorder,
                 telemetry::Capture* capture);

  /// The trace of a request that begins; `traceparent`: the request's own, or empty.
  RequestTrace begin_trace(std::string_view traceparent) { return {recorder_.get(), traceparent}; }
  /// The head or the body of a request was refused.
  void refused(std::string_view reason) { metrics_.bad_request(reason); }
  /// A request was forwarded; `status` is 0 if there was no answer.
  void forwarded(telemetry::PolicyId id, int status, std::chrono::nanoseconds duration) {
    metrics_.upstream(id, status, duration);
  }
  /// Whether ended() uses the bodies of requests. A reload may change it.
  bool wants_bodies() const { return capture_ != nullptr && capture_->on(); }
  /// A request has ended.
  void ended(const RequestReport& report);
  /// A connection was refused before a request was read.
  void turned_away(const telemetry::AccessRecord& record, const Setup& setup);

  /// Passes on the recent reports. Call it a few times a second.
  void flush();

 private:
  void capture(const RequestReport& report) const;

  telemetry::WorkerMetrics& metrics_;
  const std::unique_ptr<telemetry::AccessLog::Writer> access_log_;
  const std::unique_ptr<telemetry::Tracer::Recorder> recorder_;
  telemetry::Capture* const capture_;
};

}  // namespace onceproxy::http
