#include "proxy/delivery/attempt_trace.hpp"

namespace onceproxy::delivery {

AttemptTrace::AttemptTrace(telemetry::Tracer::Recorder* recorder, const store::Event& event)
    : recorder_(recorder) {
  if (recorder_ == nullptr) return;
  const auto parent = telemetry::parse_traceparent(event.trace);
  if (!parent || !parent->sampled) {
    recorder_ = nullptr;
    return;
  }
  parent_ = *parent;
  context_ = recorder_->step(parent_);
  text_ = telemetry::write_traceparent(context_);
  began_ = std::chrono::system_clock::now();
}

std::string_view AttemptTrace::traceparent() const {
  return traced() ? std::string_view(text_.data(), text_.size()) : std::string_view();
}

void AttemptTrace::record(const store::Event& event, std::string_view listener,
                          std::uint32_t number, int status, store::DeliveryState became,
                          std::string_view error) const {
  if (!traced()) return;
  const std::string fingerprint = event.fingerprint.hex();
  telemetry::Span span;
  span.context = context_;
  span.parent = parent_.span;
  // The request may have been received by an earlier process, before a restart.
  span.parent_remote = true;
  span.kind = telemetry::SpanKind::client;
  span.name = "deliver";
  span.begin = began_;
  span.end = std::chrono::system_clock::now();
  span.attributes.text("onceproxy.policy", event.policy);
  span.attributes.text("onceproxy.fingerprint", fingerprint);
  span.attributes.text("onceproxy.listener", listener);
  span.attributes.number("onceproxy.attempt", number);
  span.attributes.text("onceproxy.delivery", store::name(became));
  if (status != 0) span.attributes.number("http.response.status_code", status);
  span.failed = became != store::DeliveryState::notified;
  span.error = error;
  recorder_->record(span);
}

}  // namespace onceproxy::delivery
