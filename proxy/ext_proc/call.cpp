#include "proxy/ext_proc/call.hpp"

#include <exception>
#include <utility>
#include <variant>

#include "policies/document.hpp"
#include "proxy/ext_proc/answer.hpp"
#include "proxy/ext_proc/heads.hpp"
#include "proxy/ext_proc/more_time.hpp"
#include "proxy/ext_proc/replies.hpp"
#include "proxy/gate/cors.hpp"
#include "proxy/http/guarded_fields.hpp"
#include "proxy/http/preflight.hpp"
#include "proxy/http/request_path.hpp"
#include "store/hex.hpp"

namespace onceproxy::ext_proc {

namespace {

using gate::Decision;
using grpc::StatusCode;
using http::BadHead;
using policies::Enforcement;

constexpr BadHead left{400, "client-left",
                       "Envoy ended the stream before the whole body had arrived: the client left, "
                       "or mode_override is not allowed."};
constexpr std::string_view no_message = "Envoy sent no valid message.";
constexpr std::string_view not_arrived =
    "A message of Envoy did not arrive within limits.body_timeout and limits.buffered_bytes.";
constexpr BadHead trailers_alone{400, "trailers-without-body",
                                 "A covered request has trailers and no body."};
constexpr BadHead short_body{400, "body-length", "The body is not as long as Content-Length says."};

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

/// The text for %RESPONSE_CODE_DETAILS%: one word without spaces.
std::string details_of(Decision decision) {
  std::string word = "onceproxy_";
  word += name(decision);
  return word;
}

std::string_view origin_of(const policies::RequestView& view) {
  const policies::Field* const origin = view.header("origin");
  return origin != nullptr ? origin->value : std::string_view();
}

}  // namespace

bool Call::wants_websocket() const {
  return head_.upgrade >= 0 &&
         policies::equals_ignoring_case(head_.fields[static_cast<std::size_t>(head_.upgrade)].value,
                                        "websocket");
}

Task<void> Call::run() {
  const Talk::Heard first = co_await talk_.hear();
  if (first != Talk::Heard::message) {
    if (first == Talk::Heard::end) talk_.end();
    co_return;
  }
  if (!talk_.heard().has_request_headers()) {
    co_await serve_without_head();
    co_return;
  }
  const std::optional<BadHead> bad = read_head();
  report_.emplace(head_, setup_, parts_.reports);
  report_->came_from(talk_.attributes().client());
  if (bad && talk_.only_watching()) {
    // Envoy forwards it without waiting for a reply.
    report_->refused(bad->reason);
    co_await let_the_rest_go_on(Decision::passed);
    co_return;
  }
  if (bad) {
    co_await refuse(nullptr, *bad);
    co_return;
  }
  const Candidates candidates = report_->rules().policies().candidates(view_);
  const http::Coverage coverage(report_->rules(), candidates);
  if (coverage.none()) {
    parts_.near_misses.look(report_->rules(), view_, report_->began());
    co_await pass(Decision::passed);
  } else if (coverage.switched_off()) {
    report_->covered_by(coverage.first());
    parts_.metrics.unprotected(report_->rules().id(coverage.first()), telemetry::Unprotected::off);
    co_await pass(Decision::passed);
  } else {
    co_await may_be_covered(candidates);
  }
}

std::optional<BadHead> Call::read_head() {
  const HeaderMap& fields = talk_.heard().request_headers().headers();
  if (const auto bad = read_request_head(fields, head_text_, head_)) return bad;
  if (const std::size_t twins = setup_->guarded.drop_twins(head_); twins > 0) {
    parts_.metrics.twins_dropped(twins);
  }
  view_.method = head_.method;
  view_.target = head_.target;
  view_.query = head_.query;
  view_.headers = http::delivered_fields(head_, delivered_);
  return http::read_path(head_, options().limits.pass_encoded_slashes, path_memory_, view_.path);
}

/// Adds the fields that the service gets, as through the data port. `reservation`: nullptr if there
/// is none.
void Call::write_fields(const gate::Forward* reservation, ProcessingResponse& reply) {
  // Clients must not send fields that only onceproxy sends.
  drop_ours(head_, reply);
  if (report_->made_id()) set_field(changes_of(reply), "x-request-id", report_->request_id());
  if (reservation != nullptr) {
    std::string fingerprint;
    store::append_hex(fingerprint, reservation->permit.fingerprint().view());
    set_field(changes_of(reply), "onceproxy-fingerprint", fingerprint);
    set_field(changes_of(reply), "onceproxy-fence", number(reservation->permit.fence()));
  }
  const http::TraceFields trace = report_->trace().fields();
  if (!trace.traceparent.empty()) {
    set_field(changes_of(reply), "traceparent", trace.traceparent);
    if (!trace.keep_tracestate) remove_field(changes_of(reply), "tracestate");
  }
}

/// From now on messages carry the answer. The service may have executed the request, so none of
/// them is given up because of a limit.
void Call::begin_answer() {
  talk_.stream().keep_messages();
  report_->forwarded();
}

/// Forwards the request without a reservation.
Task<void> Call::pass(Decision decision) {
  // Envoy sends no answer that was not requested.
  if (asked_) begin_answer();
  ProcessingResponse& reply = talk_.reply();
  let_go_on(talk_.heard(), reply);
  if (asked_ && reply.has_request_headers()) ask_for_everything(reply);
  write_fields(nullptr, reply);
  co_await talk_.say(reply);
  co_await let_the_rest_go_on(decision);
}

/// Lets all further messages pass unchanged.
Task<void> Call::let_the_rest_go_on(Decision decision) {
  int status = 0;
  Talk::Heard heard = co_await talk_.hear();
  while (heard == Talk::Heard::message) {
    co_await let_go_on_as(decision, status);
    heard = co_await talk_.hear();
  }
  talk_.end();
  report_->finish(decision, status);
}

/// Lets the last message pass, and adds the decision if it is the answer's head.
Task<void> Call::let_go_on_as(Decision decision, int& status) {
  ProcessingRequest& message = talk_.heard();
  ProcessingResponse& reply = talk_.reply();
  let_go_on(message, reply);
  if (message.has_response_headers()) {
    std::string text;
    http::ResponseHead head;
    read_response_head(message.response_headers().headers(), head_.method, text, head);
    status = head.status;
    report_->answered(status, false);
    if (report_->policy() != nullptr) {
      drop_ours(head, reply);
      decorate(reply, report_->decided(decision), report_->request_id());
    }
    if (asked_ && !ends_answer(message)) ask_for_nothing_more(reply);
  }
  if (message.has_response_body()) report_->answer_bytes(message.response_body().body().size());
  co_await talk_.say(reply);
}

/// Refuses a request whose operation is not known yet. `coverage`: nullptr if it is not known
/// either which policies cover the request.
Task<void> Call::refuse(const http::Coverage* coverage, const BadHead& why) {
  report_->refused(why.reason);
  gate::Answer refusal = gate::bad_request(why.status, why.detail);
  if (coverage != nullptr) {
    const policies::Policy& first = coverage->first();
    report_->covered_by(first);
    if (report_->rules().enforcement(first).mode == Enforcement::Mode::enforce) {
      refusal = gate::refusal(first, policies::Refusal::bad_request, std::move(refusal));
    }
  }
  co_await answer(Decision::bad_request, std::move(refusal), why.detail);
}

/// Lets a request pass in shadow mode that would be refused before its operation is known.
Task<void> Call::watch_unread(const http::Coverage& coverage) {
  report_->covered_by(coverage.first());
  if (report_->rules().enforcement(coverage.first()).mode == Enforcement::Mode::shadow) {
    report_->would_decide(Decision::bad_request);
  }
  return pass(report_->unreserved());
}

/// Answers the request; Envoy does not forward it.
Task<void> Call::answer(Decision decision, gate::Answer answer, std::string_view error) {
  const policies::Cors* const cors = http::cors_of(options(), report_->policy());
  if (cors != nullptr) gate::let_read(answer, *cors, origin_of(view_));
  std::optional<gate::Decided> decided;
  if (report_->policy() != nullptr || decision == Decision::bad_request) {
    decided = report_->decided(decision);
  }
  ProcessingResponse& reply = talk_.reply();
  answer_at_once(answer, report_->request_id(), decided, details_of(decision), reply);
  const bool said = co_await talk_.say(reply);
  if (said) report_->answer_bytes(answer.body.size());
  report_->finish(decision, answer.status, error);
}

Task<void> Call::may_be_covered(const Candidates& candidates) {
  const http::Coverage coverage(report_->rules(), candidates);
  if (!served_as_configured(coverage)) co_return;
  const std::optional<BadHead> bad =
      coverage.check_head(head_, wants_websocket(), options().limits.body_bytes);
  if (bad && coverage.only_watched()) {
    co_await watch_unread(coverage);
    co_return;
  }
  if (bad) {
    co_await refuse(&coverage, *bad);
    co_return;
  }
  if (!talk_.heard().request_headers().end_of_stream()) {
    const bool collected = co_await collect_body(coverage);
    if (!collected) co_return;
  }
  co_await decide(coverage);
}

/// Requests the body and waits for it. Returns false if the request has ended, or passed without a
/// decision.
Task<bool> Call::collect_body(const http::Coverage& coverage) {
  ProcessingResponse& reply = talk_.reply();
  let_go_on(talk_.heard(), reply);
  ask_for_everything(reply);
  asked_ = true;
  co_await talk_.say(reply);
  while (true) {
    const Talk::Heard heard = co_await talk_.hear();
    if (heard != Talk::Heard::message) {
      report_->covered_by(coverage.first());
      report_->refused(left.reason);
      std::string_view why = heard == Talk::Heard::end ? left.detail : no_message;
      if (talk_.stream().gone() == grpc::Gone::refused) why = not_arrived;
      talk_.end();
      report_->finish(Decision::bad_request, 0, why);
      co_return false;
    }
    ProcessingRequest& message = talk_.heard();
    if (message.has_request_body()) {
      HttpBody& told = *message.mutable_request_body();
      if (body_.empty()) {
        body_ = std::move(*told.mutable_body());
      } else {
        body_ += told.body();
      }
      // In shadow mode the body arrives in pieces, and no reply is awaited.
      if (talk_.only_watching() && !told.end_of_stream()) continue;
      break;
    }
    if (message.has_request_trailers() && talk_.only_watching()) break;
    if (message.has_request_trailers()) {
      co_await refuse(&coverage, trailers_alone);
      co_return false;
    }
    if (message.has_response_headers()) {
      co_await answered_before_body(coverage);
      co_return false;
    }
    talk_.fail(StatusCode::invalid_argument, "The body of the request was expected.");
    report_->finish(Decision::bad_request, 0,
                    "Envoy sent a message that is not expected in this phase.");
    co_return false;
  }
  std::optional<BadHead> bad;
  if (body_.size() > options().limits.body_bytes) bad = http::body_too_large;
  if (head_.framing.kind == http::Framing::Kind::length && head_.framing.length != body_.size()) {
    bad = short_body;
  }
  if (!bad) co_return true;
  if (coverage.only_watched()) {
    co_await watch_unread(coverage);
  } else {
    co_await refuse(&coverage, *bad);
  }
  co_return false;
}

}  // namespace onceproxy::ext_proc
