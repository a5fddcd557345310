// The decision about a complete request: it asks the gate, and tells Envoy to forward the request
// or to send an answer.
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "policies/document.hpp"
#include "policies/longest_wait.hpp"
#include "proxy/ext_proc/answer.hpp"
#include "proxy/ext_proc/call.hpp"
#include "proxy/ext_proc/more_time.hpp"
#include "proxy/ext_proc/replies.hpp"

namespace onceproxy::ext_proc {

namespace {

using gate::Decision;

/// How much longer than the wait itself the reply may take. `onceproxy doctor` (envoy_needs.cpp)
/// checks that Envoy allows it.
constexpr std::chrono::milliseconds reply_slack{10'000};

}  // namespace

/// The longest time that the request may have to wait; Envoy's timeout is extended to it. Which
/// override applies is not known yet.
std::chrono::milliseconds Call::wait_max() const {
  return policies::longest_wait(*report_->policy()) + reply_slack +
         options().upstream.connect_timeout;
}

/// Asks the gate and takes the turns for a forward. Envoy's timeout is extended meanwhile.
Task<gate::Admission> Call::ask_gate(policies::Document& document, const gate::Asking& asking,
                                     bool& turns) {
  MoreTime more(talk_, parts_.loop, wait_max());
  std::optional<gate::Admission> admission;
  std::exception_ptr error;
  try {
    gate::Admission admitted =
        co_await parts_.gate.admit(report_->rules(), *report_->policy(), view_, document, asking);
    admission.emplace(std::move(admitted));
    if (const auto* reservation = std::get_if<gate::Forward>(&admission->verdict)) {
      // In shadow mode nothing ends a request.
      if (!reservation->watched && parts_.gate.leases_may_end()) {
        lease_ = std::make_shared<LeaseCut>(talk_);
        parts_.gate.watch_lease(*reservation, lease_);
      }
      turns = co_await take_turns(*reservation);
    }
  } catch (...) {
    error = std::current_exception();
  }
  co_await more.stop();
  if (error) std::rethrow_exception(error);
  co_return std::move(*admission);
}

/// Frees the body, which is no longer needed. The answer may take long.
void Call::drop_body() {
  if (parts_.reports.wants_bodies()) return;
  report_->drop_body();
  std::string().swap(body_);
}

Task<void> Call::decide(const http::Coverage& coverage) {
  report_->request_body_is(body_);
  std::optional<policies::Document> document;
  document.emplace(view_, body_, options().limits.body_bytes);
  const policies::Policy* const covering = coverage.covering(view_, *document);
  if (covering == nullptr) {
    document.reset();
    drop_body();
    co_await pass(Decision::passed);
    co_return;
  }
  report_->covered_by(*covering);
  asked_ = true;
  http::RequestTrace& trace = report_->trace();
  const std::string for_duplicates = trace.for_duplicates();
  const gate::Asking asking{
      report_->request_id(), trace.id(), for_duplicates, head_text_.size() + body_.size(), body_,
      parts_.date.text()};
  trace.mark(http::TraceMark::reserve_begins);
  bool turns = true;
  gate::Admission admission = co_await ask_gate(*document, asking, turns);
  document.reset();
  drop_body();
  trace.mark(http::TraceMark::reserve_ends);
  report_->admitted(admission);
  if (auto* accepted = std::get_if<gate::Accepted>(&admission.verdict)) {
    co_await answer(Decision::accepted, std::move(accepted->answer));
    co_return;
  }
  if (auto* reply = std::get_if<gate::Reply>(&admission.verdict)) {
    co_await answer(reply->decision, std::move(reply->answer));
    co_return;
  }
  auto* const reservation = std::get_if<gate::Forward>(&admission.verdict);
  if (reservation == nullptr) {
    co_await pass(report_->unreserved());
    co_return;
  }
  if (!turns) {
    const gate::NotSent busy{gate::NotSent::Reason::busy,
                             "No turn was free in time, or too many requests wait."};
    co_await give_up(std::move(*reservation), busy, busy.detail);
  } else {
    co_await forward(std::move(*reservation));
  }
}

/// Takes the policy's turn and then the upstream's, as on the data port. Returns false if one was
/// not free in time.
Task<bool> Call::take_turns(const gate::Forward& reservation) {
  if (parts_.upstream == nullptr) co_return true;
  const std::size_t bytes = head_text_.size() + body_.size();
  io::Slots* const policy_turns =
      reservation.watched ? nullptr : report_->rules().turns(*report_->policy());
  if (policy_turns != nullptr) {
    std::optional<http::UpstreamPool::Turn> turn =
        co_await parts_.upstream->turn(*policy_turns, bytes);
    if (!turn) co_return false;
    policy_turn_.emplace(std::move(*turn));
  }
  if (io::Slots* const turns = parts_.upstream->turns()) {
    std::optional<http::UpstreamPool::Turn> turn = co_await parts_.upstream->turn(*turns, bytes);
    if (!turn) co_return false;
    turn_.emplace(std::move(*turn));
  }
  co_return true;
}

/// The request is not forwarded after all, and the client gets an answer.
Task<void> Call::give_up(gate::Forward reservation, const gate::Outcome& outcome,
                         std::string_view error) {
  const bool watched = reservation.watched;
  lease_.reset();
  gate::Settlement settlement =
      co_await parts_.gate.settle(report_->rules(), std::move(reservation), outcome);
  if (watched || !settlement.answer) {
    co_await pass(Decision::forwarded);
    co_return;
  }
  co_await answer(settlement.decision, std::move(*settlement.answer), error);
}

Task<void> Call::forward(gate::Forward reservation) {
  // A process that was stopped for longer than the lease may come here before it is told.
  if (lease_ && !lease_->ended() && !parts_.gate.holds(reservation)) lease_->lease_ended();
  const bool lease_ended = lease_ && lease_->ended();
  if (talk_.stream().gone() || lease_ended) {
    // Envoy was not told to forward the request.
    const gate::NotSent not_sent{gate::NotSent::Reason::unreachable,
                                 lease_ended
                                     ? "The reservation's lease ended before the request was "
                                       "forwarded."
                                     : "Envoy cancelled the request before it was forwarded."};
    lease_.reset();
    gate::Settlement settlement =
        co_await parts_.gate.settle(report_->rules(), std::move(reservation), not_sent);
    talk_.end();
    report_->finish(settlement.decision, 0, not_sent.detail);
    co_return;
  }
  begin_answer();
  ProcessingResponse& reply = talk_.reply();
  let_go_on(talk_.heard(), reply);
  // Nothing was requested yet for a request without a body.
  if (reply.has_request_headers()) ask_for_everything(reply);
  write_fields(&reservation, reply);
  if (!reservation.watched) report_->answer_as(*reservation.policy);
  AnswerPhase phase({parts_.gate, parts_.loop, parts_.date, parts_.answers}, talk_, *report_,
                    std::move(reservation), std::move(lease_));
  co_await talk_.say(reply);
  co_await phase.run();
}

}  // namespace onceproxy::ext_proc
