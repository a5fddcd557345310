// Requests that are not protected as Envoy's filter is configured. They are refused, or reported if
// Envoy has forwarded them already.
#include <string>
#include <string_view>

#include "proxy/ext_proc/call.hpp"
#include "proxy/ext_proc/heads.hpp"

namespace onceproxy::ext_proc {

namespace {

using gate::Decision;
using grpc::StatusCode;

/// The reason of requests that are not protected as Envoy's filter is configured; for the metrics.
constexpr std::string_view unsuitable_filter = "envoy-configuration";

/// Whether Envoy ignores mode_override, and expects other replies than those sent here. So does
/// every mode that is not known here.
bool is_full_duplex(ProcessingMode::BodySendMode mode) {
  return mode != ProcessingMode::NONE && mode != ProcessingMode::STREAMED &&
         mode != ProcessingMode::BUFFERED && mode != ProcessingMode::BUFFERED_PARTIAL;
}

}  // namespace

/// Whether no policy refuses any request.
bool Call::only_watches() const {
  Candidates all;
  for (const policies::Policy& policy : setup_->rules->policies().policies()) {
    all.push_back(&policy);
  }
  return http::Coverage(*setup_->rules, all).only_watched();
}

/// The stream begins with another message. Either Envoy answered the request before it reached this
/// filter, or the filter does not send the heads of requests.
Task<void> Call::serve_without_head() {
  constexpr std::string_view unseen =
      "processing_mode.request_header_mode must be SEND: without their heads, requests are not "
      "protected.";
  const ProcessingRequest& message = talk_.heard();
  const bool of_request = message.has_request_body() || message.has_request_trailers();
  const bool executed = message.has_response_headers() && answer_origin() == Origin::service;
  if ((of_request || executed) && !only_watches()) {
    report_.emplace(head_, setup_, parts_.reports);
    report_->came_from(talk_.attributes().client());
    report_->refused(unsuitable_filter);
  }
  if (report_ && of_request) {
    talk_.fail(StatusCode::failed_precondition, unseen);
    report_->finish(Decision::bad_request, 0, unseen);
    co_return;
  }
  int status = 0;
  Talk::Heard heard = Talk::Heard::message;
  while (heard == Talk::Heard::message) {
    if (report_) {
      co_await let_go_on_as(Decision::passed, status);
    } else {
      co_await talk_.let_go_on();
    }
    heard = co_await talk_.hear();
  }
  talk_.end();
  if (report_) report_->finish(Decision::passed, status, unseen);
}

/// Returns false if no policy can be enforced with the configuration of Envoy's filter. The stream
/// has then been ended.
bool Call::served_as_configured(const http::Coverage& coverage) {
  if (coverage.only_watched()) return true;
  const ProtocolConfiguration& configured = talk_.configuration();
  std::string_view why;
  if (talk_.only_watching()) {
    why = "observability_mode is possible only if every policy is in shadow mode.";
  } else if (configured.send_body_without_waiting_for_header_response()) {
    why =
        "send_body_without_waiting_for_header_response must be false: with it Envoy ignores "
        "mode_override.";
  } else if (configured.request_body_mode() != ProcessingMode::NONE &&
             configured.request_body_mode() != ProcessingMode::BUFFERED) {
    why = "processing_mode.request_body_mode must be NONE or BUFFERED.";
  } else if (is_full_duplex(configured.response_body_mode())) {
    why =
        "processing_mode.response_body_mode must not be FULL_DUPLEX_STREAMED: with it Envoy "
        "ignores mode_override.";
  } else {
    return true;
  }
  report_->covered_by(coverage.first());
  report_->refused(unsuitable_filter);
  talk_.fail(StatusCode::failed_precondition, why);
  report_->finish(Decision::bad_request, 0, why);
  return false;
}

/// Where the answer was made whose head is the last message.
Origin Call::answer_origin() {
  std::string text;
  http::ResponseHead head;
  // What Envoy says of the origin counts for a malformed head, too.
  read_response_head(talk_.heard().response_headers().headers(), head_.method, text, head);
  return talk_.attributes().origin(head);
}

/// The head of an answer has arrived instead of the body.
Task<void> Call::answered_before_body(const http::Coverage& coverage) {
  report_->covered_by(coverage.first());
  // The body is too large for Envoy, or did not arrive in time.
  Decision decision = Decision::bad_request;
  std::string_view why = "Envoy answered before the body was there.";
  const bool by_service = answer_origin() == Origin::service;
  // Without the attribute it is not known whether the service has executed the request, so it is
  // not reported as refused.
  if (by_service || talk_.attributes().details().empty()) {
    decision = Decision::passed;
    if (talk_.only_watching()) {
      // Envoy holds nothing back, and a service need not read the whole body.
      why = "The answer arrived before the whole body.";
    } else {
      why = by_service ? "Envoy forwarded the request without a decision: allow_mode_override must "
                         "be true, and allowed_override_modes must admit the requested mode."
                       : "Envoy may have forwarded the request without a decision: "
                         "response_attributes must contain response.code_details.";
      report_->refused(unsuitable_filter);
    }
  }
  int status = 0;
  co_await let_go_on_as(decision, status);
  report_->finish(decision, status, why);
  co_await let_the_rest_go_on(decision);
}

}  // namespace onceproxy::ext_proc
