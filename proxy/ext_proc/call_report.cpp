#include "proxy/ext_proc/call_report.hpp"

#include "proxy/http/guarded_fields.hpp"
#include "proxy/telemetry/access_details.hpp"
#include "store/random.hpp"

namespace onceproxy::ext_proc {

namespace {

/// The values that log.access_format can show of a request.
class HeadFields final : public telemetry::AccessFields {
 public:
  HeadFields(const http::RequestHead& head, bool secure) : head_(head), secure_(secure) {}

  std::optional<std::string_view> find(std::string_view name) const override {
    const auto known = [](std::string_view value) {
      return value.empty() ? std::nullopt : std::optional(value);
    };
    if (name == ":method") return known(head_.method);
    if (name == ":path") return known(head_.target);
    if (name == ":authority") return known(head_.host);
    if (name == ":scheme") return secure_ ? "https" : "http";
    // Envoy sends names in lower case.
    for (const http::Field& field : head_.fields) {
      if (field.name == name) return field.value;
    }
    return std::nullopt;
  }

 private:
  const http::RequestHead& head_;
  const bool secure_;
};

}  // namespace

CallReport::CallReport(const http::RequestHead& head, std::shared_ptr<const http::Setup> setup,
                       http::RequestReports& reports)
    : head_(head),
      setup_(std::move(setup)),
      reports_(reports),
      trace_(reports.begin_trace(head.traceparent)) {
  if (head.request_id >= 0) id_ = head.fields[static_cast<std::size_t>(head.request_id)].value;
  if (id_.empty() || id_.size() > http::request_id_bytes_max) {
    made_id_ = store::random_uuid();
    id_ = made_id_;
  }
}

void CallReport::admitted(gate::Admission& admission) {
  trace_.link(admission.origin);
  fingerprint_ = admission.fingerprint;
  shadow_ = admission.shadow;
  unnamed_ = std::move(admission.error);
}

void CallReport::request_body_is(std::string_view body) {
  body_ = body;
  request_bytes_ = body.size();
}

void CallReport::forwarded() {
  forward_.tried = true;
  forward_.sent_at = Clock::now();
  trace_.begin_forward();
}

void CallReport::answered(int status, bool timed_out) {
  if (!forward_.tried) return;
  forward_.status = status;
  forward_.timed_out = timed_out;
  forward_.duration = Clock::now() - forward_.sent_at;
  const telemetry::PolicyId id = policy_ == nullptr ? telemetry::no_policy : rules().id(*policy_);
  reports_.forwarded(id, status, forward_.duration);
}

void CallReport::answer_whole() {
  answer_whole_ = true;
  // As on the data port, the time for settling does not count as the service's time.
  forward_.duration = Clock::now() - forward_.sent_at;
}

void CallReport::finish(gate::Decision decision, int status, std::string_view error) {
  if (finished_) return;
  finished_ = true;
  const Clock::time_point ended = Clock::now();
  if (forward_.status != 0 && !answer_whole_) forward_.duration = ended - forward_.sent_at;
  std::string hex;
  if (fingerprint_) hex = fingerprint_->hex();
  telemetry::AccessRecord record;
  record.request_id = id_;
  record.trace_id = trace_.id();
  record.client = client_;
  record.method = head_.method;
  record.path = head_.path;
  if (policy_ != nullptr) record.policy = policy_->name;
  record.decision = decision;
  record.shadow = shadow_;
  record.fingerprint = hex;
  record.status = status;
  record.request_bytes = static_cast<std::int64_t>(request_bytes_);
  record.response_bytes = static_cast<std::int64_t>(response_bytes_);
  record.duration = ended - began_;
  record.upstream_duration = forward_.duration;
  record.error = error.empty() ? std::string_view(unnamed_) : error;
  const bool secure =
      head_.forwarded_proto >= 0 &&
      head_.fields[static_cast<std::size_t>(head_.forwarded_proto)].value == "https";
  std::optional<std::uint64_t> answer_bytes;
  if (answer_whole_) answer_bytes = response_bytes_;
  const HeadFields fields(head_, secure);
  telemetry::AccessDetails details;
  details.request = &fields;
  details.target = head_.target;
  details.forwarded = forward_.sent();
  details.code_details = code_details_;
  reports_.ended({record, trace_, forward_, *setup_, head_, secure, policy_, fingerprint_, body_,
                  answer_bytes, began_, ended, &details});
}

}  // namespace onceproxy::ext_proc
