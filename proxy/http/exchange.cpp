#include "proxy/http/exchange.hpp"

#include <utility>

#include "proxy/gate/cors.hpp"
#include "proxy/http/preflight.hpp"

namespace onceproxy::http {

using gate::Decision;

Exchange::Exchange(Client& client, RequestMemory& memory, std::shared_ptr<const Setup> setup,
                   Clock::time_point began, RequestReports& reports, const HttpDate& date)
    : client_(client),
      setup_(std::move(setup)),
      request_(memory, client, setup_->options),
      reports_(reports),
      date_(date),
      trace_(reports.begin_trace(memory.head.traceparent)),
      began_(began),
      keep_alive_(memory.head.keep_alive) {
  if (const auto& format = setup_->options.access_format) {
    notes_ = std::make_unique<AccessNotes>(*format, memory.head, client);
  }
}

telemetry::PolicyId Exchange::policy_id() const {
  return policy_ == nullptr ? telemetry::no_policy : rules().id(*policy_);
}

void Exchange::admitted(gate::Admission& admission) {
  trace_.link(admission.origin);
  fingerprint_ = admission.fingerprint;
  shadow_ = admission.shadow;
  unnamed_ = std::move(admission.error);
}

void Exchange::request_body_is(std::string_view body) {
  request_bytes_ = body.size();
  whole_body_ = body;
}

void Exchange::note_upstream(const ForwardRecord& forward) {
  const bool first = !forward_.tried;
  const int status = first ? forward.status : forward_.status;
  forward_ = forward;
  forward_.status = status;
  if (first) reports_.forwarded(policy_id(), status, forward.duration);
}

ClientSide Exchange::client_side() const {
  return {request_.head().minor_version, connection_goes_on(), request_.to_head(), date_.text(),
          request_.id()};
}

DecisionFields Exchange::decision_fields(Decision decision,
                                         std::chrono::nanoseconds service_time) const {
  return {{decision, shadow_}, std::chrono::duration_cast<std::chrono::milliseconds>(service_time)};
}

CoveredFields Exchange::covered_fields(std::size_t body_bytes) const {
  CoveredFields fields;
  fields.forwarded = request_.forwarded_fields();
  fields.response_timeout = options().upstream.response_timeout;
  fields.certificate = request_.certificate_field();
  fields.body_bytes = body_bytes;
  fields.trace = trace_.fields();
  return fields;
}

Task<void> Exchange::answer(Decision decision, gate::Answer answer, std::string_view error) {
  const bool covered = policy_ != nullptr || decision == Decision::bad_request;
  client_.out.clear();
  std::optional<gate::Decided> decided;
  if (covered) decided.emplace(decision, shadow_);
  const policies::Cors* const cors = cors_of(options(), policy_);
  if (cors != nullptr && decision != Decision::preflight) {
    gate::let_read(answer, *cors, request_.origin());
  }
  write_answer(answer, client_side(), decided, client_.out);
  answer_head_is(client_.out);
  if (notes_) notes_->answered_here = true;
  const io::IoResult written = co_await client_.write(client_.out);
  if (written.error != io::IoError::none) {
    keep_alive_ = false;
    client_left();
  }
  finish(decision, answer.status, written.bytes, error);
}

Task<void> Exchange::fail(const gate::NotSent& not_sent) {
  return answer(decision_of(not_sent), gate::answer_not_sent(not_sent, words_), not_sent.detail);
}

Task<void> Exchange::fail(const gate::Unknown& unknown) {
  return answer(Decision::upstream_error, gate::answer_unknown(unknown, words_), unknown.detail);
}

Task<void> Exchange::refuse(const BadHead& why) {
  keep_alive_ = false;
  // The part that was sent of a malformed request is not reported as a forward.
  forward_ = {};
  reports_.refused(why.reason);
  gate::Answer refusal = gate::bad_request(why.status, why.detail);
  if (words_ != nullptr) {
    refusal = gate::refusal(*words_, policies::Refusal::bad_request, std::move(refusal));
  }
  return answer(Decision::bad_request, std::move(refusal), why.detail);
}

void Exchange::finish(Decision decision, int status, std::uint64_t response_bytes,
                      std::string_view error) {
  const Clock::time_point ended = Clock::now();
  telemetry::AccessRecord record;
  std::string hex;
  if (fingerprint_) hex = fingerprint_->hex();
  record.request_id = request_.id();
  record.trace_id = trace_.id();
  record.client = client_.address();
  record.method = request_.head().method;
  record.path = request_.head().path;
  if (policy_ != nullptr) record.policy = policy_->name;
  record.decision = decision;
  record.shadow = shadow_;
  record.fingerprint = hex;
  record.status = status;
  record.request_bytes = static_cast<std::int64_t>(request_bytes_);
  record.response_bytes = static_cast<std::int64_t>(response_bytes);
  record.duration = ended - began_;
  record.upstream_duration = forward_.duration;
  record.error = error.empty() ? std::string_view(unnamed_) : error;
  telemetry::AccessDetails details;
  if (notes_) details = notes_->details(record, forward_);
  reports_.ended({record, trace_, forward_, *setup_, request_.head(), client_.secure(), policy_,
                  fingerprint_, whole_body_, answer_body_bytes_, began_, ended,
                  notes_ ? &details : nullptr});
}

}  // namespace onceproxy::http
