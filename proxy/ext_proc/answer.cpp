#include "proxy/ext_proc/answer.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>
#include <variant>

#include "proxy/ext_proc/heads.hpp"
#include "proxy/ext_proc/more_time.hpp"
#include "proxy/ext_proc/replies.hpp"

namespace onceproxy::ext_proc {

namespace {

using gate::Decision;
using grpc::StatusCode;
using store::NotKept;

/// The longest time that the store may take to settle; Envoy's timeout is extended by it.
constexpr std::chrono::milliseconds settle_max{30'000};

constexpr std::string_view out_of_phase =
    "Envoy sent a message that is not expected in this phase.";

/// An event stream has no end to wait for.
bool endless(const http::ResponseHead& head) {
  constexpr std::string_view type = "text/event-stream";
  for (const http::Field& field : head.fields) {
    if (policies::equals_ignoring_case(field.name, "content-type") &&
        policies::equals_ignoring_case(field.value.substr(0, type.size()), type)) {
      return true;
    }
  }
  return false;
}

constexpr std::string_view grpc_status = "grpc-status";

}  // namespace

AnswerPhase::AnswerPhase(const Parts& parts, Talk& talk, CallReport& report,
                         gate::Forward reservation, std::shared_ptr<LeaseCut> lease)
    : parts_(parts),
      talk_(talk),
      report_(report),
      reservation_(std::move(reservation)),
      policy_(*reservation_->policy),
      watched_(reservation_->watched),
      lease_(std::move(lease)) {}

Task<void> AnswerPhase::run() {
  while (true) {
    const Talk::Heard heard = co_await talk_.hear();
    if (heard == Talk::Heard::end) {
      co_await never_answered("Envoy ended the stream before the head of an answer.");
      co_return;
    }
    if (heard == Talk::Heard::garbled) {
      co_await never_answered("Envoy sent no valid message.");
      co_return;
    }
    if (talk_.heard().has_response_headers()) break;
    if (!talk_.heard().has_request_trailers() && !talk_.only_watching()) {
      talk_.fail(StatusCode::invalid_argument, "The head of the answer was expected.");
      co_await never_answered(out_of_phase);
      co_return;
    }
    co_await talk_.let_go_on();
  }
  const HttpHeaders& told = talk_.heard().response_headers();
  const bool end_of_stream = told.end_of_stream();
  const auto bad = read_response_head(told.headers(), report_.head().method, head_text_, head_);
  report_.code_details(talk_.attributes().details());
  const Origin origin = bad ? Origin::unknown : talk_.attributes().origin(head_);
  if (origin == Origin::service) {
    co_await service_answered(end_of_stream);
  } else {
    co_await envoy_answered(origin, bad ? bad->detail : std::string_view());
  }
}

/// The answer that is stored with the operation, in the form in which the client gets it.
gate::Answered AnswerPhase::answered(bool whole, NotKept why) {
  fields_.clear();
  if (head_.date < 0) fields_.push_back({"Date", parts_.date.text()});
  http::append_lasting_fields(head_, fields_);
  const int status = outcome_status();
  return {status, fields_, body_, whole, why};
}

/// The status that determines the outcome. That of a gRPC answer is in its last message.
int AnswerPhase::outcome_status() {
  if (grpc_ == GrpcKind::none || head_.status != ok) return head_.status;
  for (const http::Field& field : head_.fields) {
    if (policies::equals_ignoring_case(field.name, grpc_status)) return status_of_grpc(field.value);
  }
  // gRPC-Web has it in the body.
  if (grpc_ == GrpcKind::web) return head_.status;
  const auto told = value_in(talk_.heard().response_trailers().trailers(), grpc_status);
  // For rules about it.
  if (told) fields_.push_back({grpc_status, *told});
  return status_of_grpc(told);
}

Task<gate::Settlement> AnswerPhase::settle(const gate::Outcome& outcome) {
  lease_.reset();
  report_.trace().mark(http::TraceMark::settle_begins);
  MoreTime more(talk_, parts_.loop, settle_max);
  std::optional<gate::Settlement> settlement;
  std::exception_ptr error;
  gate::Forward reservation = std::move(*reservation_);
  reservation_.reset();
  try {
    gate::Settlement settled =
        co_await parts_.gate.settle(report_.rules(), std::move(reservation), outcome);
    settlement.emplace(std::move(settled));
  } catch (...) {
    error = std::current_exception();
  }
  co_await more.stop();
  if (error) std::rethrow_exception(error);
  report_.trace().mark(http::TraceMark::settle_ends);
  co_return std::move(*settlement);
}

/// Whether to store the answer's body; if not, it records the reason.
bool AnswerPhase::keeps_body() {
  // The trailers of a gRPC answer are not replayed, and without them it has no meaning.
  if (endless(head_) || grpc_ != GrpcKind::none) {
    why_not_kept_ = NotKept::stream;
    return false;
  }
  return head_.framing.kind != http::Framing::Kind::length ||
         head_.framing.length <= policy_.replay.body_bytes_max;
}

/// Returns false if no more of the body is stored.
bool AnswerPhase::take(std::string_view data) {
  report_.answer_bytes(data.size());
  if (is_grpc()) return true;
  body_ += data;
  if (body_.size() > policy_.replay.body_bytes_max) return false;
  if (!part_) part_.emplace(parts_.answers);
  if (part_->grow(data.size())) return true;
  why_not_kept_ = NotKept::crowded;
  return false;
}

Task<void> AnswerPhase::service_answered(bool end_of_stream) {
  report_.answered(head_.status, false);
  grpc_ = grpc_kind(head_);
  const bool keeps = keeps_body();
  if (!end_of_stream && (keeps || is_grpc())) {
    ProcessingResponse& reply = talk_.reply();
    let_go_on(talk_.heard(), reply);
    drop_ours(head_, reply);
    decorate(reply, report_.decided(Decision::forwarded), report_.request_id());
    co_await talk_.say(reply);
    co_await collect_and_settle();
    co_return;
  }
  const bool whole = end_of_stream && grpc_ == GrpcKind::none;
  const gate::Outcome outcome = answered(whole, why_not_kept_);
  gate::Settlement settlement = co_await settle(outcome);
  if (settlement.answer) {
    co_await answer_instead(std::move(settlement), "The completion could not be stored.");
    co_return;
  }
  if (end_of_stream) report_.answer_whole();
  co_await let_head_go_on(settlement.decision);
}

/// Its reservation is settled, and the rest of the answer is not needed.
Task<void> AnswerPhase::let_head_go_on(Decision decision, std::string_view error) {
  ProcessingResponse& reply = talk_.reply();
  let_go_on(talk_.heard(), reply);
  drop_ours(head_, reply);
  decorate(reply, report_.decided(decision), report_.request_id());
  if (!ends_answer(talk_.heard())) ask_for_nothing_more(reply);
  co_await talk_.say(reply);
  co_await let_the_rest_go_on(decision, error);
}

/// The client already has the answer's head. Its end is withheld until the reservation is settled.
Task<void> AnswerPhase::collect_and_settle() {
  const Body body = co_await collect();
  if (body == Body::out_of_phase) {
    talk_.fail(StatusCode::invalid_argument, "The body of the answer was expected.");
  }
  if (body == Body::cut_off || body == Body::out_of_phase) {
    co_await cut_off();
    co_return;
  }
  const bool whole = body == Body::whole;
  if (whole) report_.answer_whole();
  const gate::Outcome outcome = answered(whole && !is_grpc(), why_not_kept_);
  const gate::Settlement settlement = co_await settle(outcome);
  if (settlement.answer) {
    // Another answer is no longer possible, so the client gets a truncated one.
    constexpr std::string_view why = "The completion could not be stored.";
    talk_.fail(StatusCode::unavailable, why);
    report_.finish(settlement.decision, head_.status, why);
    co_return;
  }
  co_await talk_.let_go_on();
  co_await let_the_rest_go_on(settlement.decision);
}

Task<AnswerPhase::Body> AnswerPhase::collect() {
  while (true) {
    const Talk::Heard heard = co_await talk_.hear();
    if (heard != Talk::Heard::message) co_return Body::cut_off;
    const ProcessingRequest& message = talk_.heard();
    if (message.has_response_body()) {
      if (!take(message.response_body().body())) co_return Body::not_kept;
      if (message.response_body().end_of_stream()) co_return Body::whole;
    } else if (message.has_response_trailers()) {
      co_return Body::whole;
    } else if (!message.has_request_trailers()) {
      co_return Body::out_of_phase;
    }
    co_await talk_.let_go_on();
  }
}

/// The head determines the outcome, unless a rule reads the body or the answer is gRPC.
Task<void> AnswerPhase::cut_off() {
  constexpr std::string_view why = "The answer broke off on its way through Envoy.";
  if (!policy_.outcome.rules.empty() || is_grpc()) {
    const gate::Outcome outcome = gate::Unknown{false, why};
    const gate::Settlement settlement = co_await settle(outcome);
    talk_.end();
    report_.finish(settlement.decision, head_.status, why);
    co_return;
  }
  const gate::Outcome outcome = answered(false, NotKept::stream);
  const gate::Settlement settlement = co_await settle(outcome);
  talk_.end();
  report_.finish(settlement.decision, head_.status, why);
}

Task<void> AnswerPhase::envoy_answered(Origin origin, std::string_view why) {
  std::string error = "Envoy answered instead of the service";
  if (!talk_.attributes().details().empty()) {
    error.append(": ").append(talk_.attributes().details());
  } else if (!why.empty()) {
    error.append(": ").append(why);
  }
  report_.answered(0, origin == Origin::timeout);
  gate::Outcome outcome = gate::Unknown{origin == Origin::timeout, error};
  if (origin == Origin::not_sent) {
    outcome = gate::NotSent{gate::NotSent::Reason::unreachable, error};
  }
  gate::Settlement settlement = co_await settle(outcome);
  if (settlement.answer && !watched_ && !talk_.attributes().told_by_route()) {
    co_await answer_instead(std::move(settlement), error);
    co_return;
  }
  co_await let_head_go_on(settlement.decision, error);
}

Task<void> AnswerPhase::never_answered(std::string_view why) {
  report_.answered(0, false);
  const gate::Outcome outcome = gate::Unknown{false, why};
  const gate::Settlement settlement = co_await settle(outcome);
  talk_.end();
  report_.finish(settlement.decision, 0, why);
}

/// The head of the answer has not been sent to the client, so another answer replaces it.
Task<void> AnswerPhase::answer_instead(gate::Settlement settlement, std::string_view error) {
  const gate::Answer& answer = *settlement.answer;
  ProcessingResponse& reply = talk_.reply();
  std::string details = "onceproxy_";
  details += name(settlement.decision);
  answer_at_once(answer, report_.request_id(), report_.decided(settlement.decision), details,
                 reply);
  const bool said = co_await talk_.say(reply);
  if (said) report_.answer_bytes(answer.body.size());
  report_.finish(settlement.decision, answer.status, error);
}

Task<void> AnswerPhase::let_the_rest_go_on(Decision decision, std::string_view error) {
  // The stored body is no longer needed, and the rest may take long.
  std::string().swap(body_);
  part_.reset();
  Talk::Heard heard = co_await talk_.hear();
  while (heard == Talk::Heard::message) {
    if (talk_.heard().has_response_body()) {
      report_.answer_bytes(talk_.heard().response_body().body().size());
    }
    co_await talk_.let_go_on();
    heard = co_await talk_.hear();
  }
  talk_.end();
  report_.finish(decision, head_.status, error);
}

}  // namespace onceproxy::ext_proc
