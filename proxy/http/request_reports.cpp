#include "proxy/http/request_reports.hpp"

namespace onceproxy::http {

using gate::Decision;

RequestReports::RequestReports(telemetry::WorkerMetrics& metrics,
                               std::unique_ptr<telemetry::AccessLog::Writer> access_log,
                               std::unique_ptr<telemetry::Tracer::Recorder> recorder,
                               telemetry::Capture* capture)
    : metrics_(metrics),
      access_log_(std::move(access_log)),
      recorder_(std::move(recorder)),
      capture_(capture) {}

void RequestReports::ended(const RequestReport& report) {
  const telemetry::AccessRecord& record = report.record;
  const telemetry::PolicyId id =
      report.policy == nullptr ? telemetry::no_policy : report.setup.rules->id(*report.policy);
  metrics_.request(id, record.decision, record.duration);
  if (record.shadow) metrics_.shadow(id, *record.shadow);
  // Of what was not sent, the wait was not ours.
  if (report.forward.sent()) metrics_.latency_added(id, record.duration - report.forward.duration);
  if (const auto& format = report.setup.options.access_format) {
    const telemetry::AccessDetails none;
    access_log_->write(record, *format, report.details != nullptr ? *report.details : none);
  } else {
    access_log_->write(record);
  }
  if (wants_bodies()) capture(report);
  if (report.trace.sampled()) {
    report.trace.record({record, report.forward, report.setup, report.head, report.secure,
                         report.policy, report.began, report.ended,
                         std::chrono::system_clock::now()});
  }
}

void RequestReports::turned_away(const telemetry::AccessRecord& record, const Setup& setup) {
  metrics_.request(telemetry::no_policy, record.decision, record.duration);
  if (const auto& format = setup.options.access_format) {
    access_log_->write(record, *format, {});
  } else {
    access_log_->write(record);
  }
}

void RequestReports::flush() {
  access_log_->flush();
  if (recorder_) recorder_->flush();
}

/// The answer is the service's where the request was forwarded and answered; that of a duplicate, a
/// refusal or a failure is not, and says nothing of what the service would have answered.
void RequestReports::capture(const RequestReport& report) const {
  const telemetry::AccessRecord& record = report.record;
  const Decision decision = record.decision;
  // A head that is refused may be half read.
  if (decision == Decision::bad_request) return;
  telemetry::CapturedRequest request;
  request.time = std::chrono::system_clock::now() -
                 std::chrono::duration_cast<std::chrono::system_clock::duration>(record.duration);
  request.method = report.head.method;
  request.target = report.head.target;
  for (const Field& field : report.head.fields) {
    request.headers.emplace_back(field.name, field.value);
  }
  request.body = report.body;
  request.body_bytes = static_cast<std::uint64_t>(record.request_bytes);
  const bool forwarded = decision == Decision::forwarded || decision == Decision::passed;
  if (forwarded) request.status = record.status;
  if (decision == Decision::upstream_error) {
    if (report.forward.sent()) {
      request.status = 0;
    } else {
      request.sent = false;
    }
  }
  request.duration = record.duration;
  request.response_bytes =
      report.answer_body_bytes.value_or(static_cast<std::uint64_t>(record.response_bytes));
  request.policy = record.policy;
  request.decision = decision;
  if (report.fingerprint) {
    request.fingerprint = {reinterpret_cast<const char*>(report.fingerprint->bytes.data()),
                           report.fingerprint->bytes.size()};
  }
  capture_->write(request);
}

}  // namespace onceproxy::http
