#include "proxy/http/reserved_forward.hpp"

#include <memory>
#include <utility>

#include "proxy/http/answer_relay.hpp"
#include "proxy/http/head_writer.hpp"
#include "store/lease_watch.hpp"

namespace onceproxy::http {

namespace {

using State = BodyReader::State;
using store::NotKept;

/// What is forwarded under a lease that has ended is cut off.
class LeaseCut final : public store::LeaseWatch {
 public:
  explicit LeaseCut(UpstreamCall& call) : call_(call) {}
  void lease_ended() override { call_.cut(); }

 private:
  UpstreamCall& call_;
};

/// A stream of events has no end to wait for: it is relayed as it comes and never replayed.
bool endless(const ResponseHead& head) {
  for (const Field& field : head.fields) {
    if (policies::equals_ignoring_case(field.name, "content-type")) {
      constexpr std::string_view event_stream = "text/event-stream";
      return field.value.size() >= event_stream.size() &&
             policies::equals_ignoring_case(field.value.substr(0, event_stream.size()),
                                            event_stream);
    }
  }
  return false;
}

/// For the log, where onceproxy answers instead of the service.
std::string_view why_failed(const gate::Outcome& outcome) {
  if (const auto* unknown = std::get_if<gate::Unknown>(&outcome)) return unknown->detail;
  if (const auto* not_sent = std::get_if<gate::NotSent>(&outcome)) return not_sent->detail;
  return "The completion could not be stored.";
}

}  // namespace

Task<void> ReservedForward::run(gate::Forward reservation) {
  // A policy in shadow mode delays no request.
  Slots* const turns = reservation.watched ? nullptr : exchange_.rules().turns(*exchange_.policy());
  UpstreamCall call(parts_.upstream, exchange_.setup(), request_.head().method, turns);
  std::exception_ptr error;
  try {
    co_await forward_by(call, std::move(reservation));
  } catch (...) {
    error = std::current_exception();
  }
  if (sending_.running()) {
    call.connection->close();
    co_await sending_.ended();
  }
  if (error) std::rethrow_exception(error);
}

Task<void> ReservedForward::forward_by(UpstreamCall& call, gate::Forward reservation) {
  AnswerRelay relay(exchange_, client_, parts_.pipes, call);
  RequestTrace& trace = exchange_.trace();
  trace.begin_forward();
  captured_bytes_max_ = reservation.policy->replay.body_bytes_max;
  write_head(reservation);
  std::shared_ptr<LeaseCut> cut;
  // A policy in shadow mode cuts no request off either.
  if (!reservation.watched && parts_.gate.leases_may_end()) {
    cut = std::make_shared<LeaseCut>(call);
    parts_.gate.watch_lease(reservation, cut);
    call.unless([this, &reservation] { return !parts_.gate.holds(reservation); });
  }
  const gate::Outcome outcome = co_await ask_upstream(call, relay);
  cut.reset();
  const auto* real = std::get_if<gate::Answered>(&outcome);
  exchange_.note_upstream(call.record(real != nullptr ? real->status : 0));
  trace.mark(TraceMark::settle_begins);
  gate::Settlement settlement =
      co_await parts_.gate.settle(exchange_.rules(), std::move(reservation), outcome);
  trace.mark(TraceMark::settle_ends);
  if (settlement.answer) {
    // What is still being sent of the request lies where the answer is written next.
    if (sending_.running()) call.connection->close();
    co_await exchange_.answer(settlement.decision, std::move(*settlement.answer),
                              why_failed(outcome));
  } else if (whole_) {
    co_await relay.run_whole(settlement.decision, captured_);
  } else {
    co_await relay.run_captured(settlement.decision, std::move(captured_));
  }
}

void ReservedForward::write_head(const gate::Forward& reservation) {
  CoveredFields fields = exchange_.covered_fields(body_.size());
  fields.fingerprint = reservation.permit.fingerprint();
  fields.fence = reservation.permit.fence();
  client_.out.clear();
  write_covered_request_head(request_.head(), fields, exchange_.setup()->upstream_name,
                             client_.out);
}

Task<gate::Outcome> ReservedForward::ask_upstream(UpstreamCall& call, AnswerRelay& relay) {
  const io::Stream::Parts parts{client_.out, body_};
  const UpstreamCall::Result failure = co_await call.send(parts);
  if (failure) {
    if (const auto* not_sent = std::get_if<gate::NotSent>(&*failure)) co_return *not_sent;
    co_return std::get<gate::Unknown>(*failure);
  }
  if (call.unsent()) {
    sending_.begin(send_rest(call));
  } else {
    call.await_response();
  }
  const std::optional<gate::Unknown> unknown = co_await read_final_head(call, relay);
  if (unknown) co_return *unknown;
  gate::Outcome outcome = co_await capture(call);
  co_return outcome;
}

/// Runs beside the reading of the answer.
Task<void> ReservedForward::send_rest(UpstreamCall& call) {
  const io::IoError error = co_await call.send_rest();
  if (error == io::IoError::timed_out) {
    call.give_up();
  } else {
    call.await_response();
  }
}

Task<std::optional<gate::Unknown>> ReservedForward::read_final_head(UpstreamCall& call,
                                                                    AnswerRelay& relay) {
  bool client_reads = true;
  while (true) {
    const UpstreamCall::HeadRead read = co_await call.read_head();
    if (read.failure) co_return read.failure;
    if (!call.interim()) co_return std::nullopt;
    // The client had its 100 from here, or asked for none.
    if (call.head.status != 100 && request_.head().minor_version == 1 && client_reads) {
      client_reads = co_await relay.run_interim();
      // A client that takes nothing must not hold up the outcome again.
      if (!client_reads) client_.close();
    }
    call.drop_interim();
  }
}

/// What has come of an answer that is not kept. No more bytes are waited for.
gate::Outcome ReservedForward::capture_beginning(UpstreamCall& call, NotKept not_kept) {
  BodyReader::Piece piece = call.take_body();
  while (piece.state == State::data) {
    captured_ += piece.data;
    piece = call.take_body();
  }
  // An answer that has broken off is not an answer.
  if (piece.state == State::malformed) return gate::Unknown{false, call.body_error};
  return answered(call, false, not_kept);
}

Task<gate::Outcome> ReservedForward::capture(UpstreamCall& call) {
  const std::size_t bytes_max = captured_bytes_max_;
  const Framing& framing = call.head.framing;
  call.begin_body();
  if (framing.kind == Framing::Kind::length && framing.length > bytes_max) {
    co_return capture_beginning(call, NotKept::too_large);
  }
  if (endless(call.head)) co_return capture_beginning(call, NotKept::stream);
  // Only where not all of it is there yet.
  std::optional<BufferBudget::Share> share;
  while (true) {
    BodyReader::Piece piece = call.take_body();
    if (piece.state == State::need_more) {
      if (!share) {
        share.emplace(parts_.answers, *call.connection);
        share->grow(captured_.size(), captured_.capacity(), parts_.answers.now());
      }
      piece = co_await call.read_body();
    }
    if (share && share->shed() && piece.state != State::end) {
      if (piece.state == State::data) captured_ += piece.data;
      co_return shed_answer(call);
    }
    if (piece.state == State::malformed) co_return gate::Unknown{call.timed_out, call.body_error};
    if (piece.state == State::end) break;
    captured_ += piece.data;
    if (captured_.size() > bytes_max) co_return answered(call, false);
    if (!share) continue;
    const bool kept = share->grow(piece.data.size(), captured_.capacity(), parts_.answers.now());
    if (!kept) co_return shed_answer(call);
  }
  // The connection serves others while the completion becomes durable.
  call.keep_head();
  call.finish();
  co_return answered(call, true);
}

/// Too much is being kept at once, and this answer is the slowest: it goes on to the client, as one
/// that is too large to be kept.
gate::Answered ReservedForward::shed_answer(const UpstreamCall& call) {
  parts_.answers.count_shed();
  return answered(call, false, NotKept::crowded);
}

/// The answer as the gate remembers it.
gate::Answered ReservedForward::answered(const UpstreamCall& call, bool whole, NotKept not_kept) {
  whole_ = whole;
  if (whole) exchange_.answer_body_has(captured_.size());
  answer_fields_.clear();
  answer_fields_.reserve(call.head.fields.size() + 1);
  if (call.head.date < 0) answer_fields_.push_back({"Date", parts_.date.text()});
  append_lasting_fields(call.head, answer_fields_);
  return {call.head.status, answer_fields_, captured_, whole, not_kept};
}

}  // namespace onceproxy::http
