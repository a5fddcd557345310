#include "proxy/http/covered.hpp"

#include <algorithm>

#include "proxy/http/answer_relay.hpp"
#include "proxy/http/passing.hpp"
#include "proxy/http/worker.hpp"

namespace onceproxy::http {

namespace {

using State = BodyReader::State;
using gate::Decision;
using store::NotKept;

/// What one read may bring in. Small, since every client whose body is still arriving keeps a
/// buffer of this size beside what `limits.buffered_bytes` bounds.
constexpr std::size_t body_buffer_bytes = 16 * 1024;

constexpr BadHead too_large{
    413, "body-too-large",
    "The body is larger than limits.body_bytes allows where a policy covers "
    "the request."};
constexpr BadHead too_slow{408, "slow-body",
                           "More is arriving at once than limits.buffered_bytes allows, and this "
                           "body is the slowest."};

/// Memory for a body of `length` is taken in steps that double and end there. The first is at most
/// this.
constexpr std::size_t first_step_bytes = 64 * 1024;

std::size_t first_step(std::uint64_t length) {
  while (length > first_step_bytes) length = (length + 1) / 2;
  return static_cast<std::size_t>(length);
}

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

}  // namespace

std::optional<BadHead> Covered::check_head() const {
  // A policy that is in shadow mode for some or all requests does not have the others refused.
  const bool watched = only_watched();
  for (const policies::Policy* candidate : candidates_) {
    if (!watched && !exchange_.rules->enforcement(*candidate).holds_for_all()) continue;
    if (const auto changed = changed_on_the_way(client_.head, *candidate)) return changed;
  }
  if (wants_websocket(client_.head)) {
    return BadHead{501, "upgrade", "A covered request cannot switch protocols."};
  }
  if (client_.head.framing.kind == Framing::Kind::length &&
      client_.head.framing.length > exchange_.options().limits.body_bytes) {
    return too_large;
  }
  return std::nullopt;
}

/// Whichever of the candidates covers the request, it refuses nothing.
bool Covered::only_watched() const {
  return std::ranges::all_of(candidates_, [&](const policies::Policy* candidate) {
    const policies::Enforcement enforcement = exchange_.rules->enforcement(*candidate);
    return enforcement.mode != policies::Enforcement::Mode::enforce || enforcement.percent == 0;
  });
}

/// The request goes on though it would be refused before its operation is known.
void Covered::watch_unread() {
  exchange_.policy = candidates_.front();
  if (exchange_.rules->enforcement(*exchange_.policy).mode == policies::Enforcement::Mode::shadow) {
    exchange_.shadow = Decision::bad_request;
  }
}

Task<void> Covered::run() {
  std::optional<BadHead> bad = check_head();
  if (bad && only_watched()) {
    watch_unread();
    Passing passing(exchange_);
    co_await passing.run();
    co_return;
  }
  if (!bad && !take_body()) bad = co_await collect_body();
  const bool could_pass =
      bad && (bad->status == too_large.status || bad->reason == too_slow.reason);
  if (could_pass && only_watched()) {
    watch_unread();
    client_.disarm();
    Passing passing(exchange_, std::move(collected_), std::move(*reader_));
    co_await passing.run();
    co_return;
  }
  if (bad) {
    std::string().swap(collected_);
    exchange_.policy = candidates_.front();
    const policies::Enforcement enforcement = exchange_.rules->enforcement(*exchange_.policy);
    if (enforcement.mode == policies::Enforcement::Mode::enforce) {
      exchange_.words = exchange_.policy;
    }
    co_await exchange_.refuse(*bad);
    co_return;
  }
  exchange_.request_bytes = body_.size();
  exchange_.whole_body = body_;
  policies::Document document(exchange_.view, body_, exchange_.options().limits.body_bytes);
  const policies::Choice choice =
      exchange_.rules->policies().choose(candidates_, exchange_.view, document);
  exchange_.policy = choice.deciding(
      [&](const policies::Policy& policy) { return exchange_.rules->enforcement(policy); });
  if (exchange_.policy == nullptr) {
    exchange_.look_for_near_misses();
    Passing passing(exchange_, body_);
    co_await passing.run();
    co_return;
  }
  const std::string trace = exchange_.trace.for_duplicates();
  exchange_.trace.mark(TraceMark::reserve_begins);
  gate::Admission admission =
      co_await worker_.gate().admit(*exchange_.rules, *exchange_.policy, exchange_.view, document,
                                    gate::Asking{exchange_.request_id, exchange_.trace.id(), trace,
                                                 client_.head.size + body_.size()});
  exchange_.trace.mark(TraceMark::reserve_ends);
  exchange_.trace.link(admission.origin);
  exchange_.fingerprint = admission.fingerprint;
  exchange_.shadow = admission.shadow;
  exchange_.unnamed = std::move(admission.error);
  if (auto* reservation = std::get_if<gate::Forward>(&admission.verdict)) {
    if (!reservation->watched) exchange_.words = reservation->policy;
    co_await forward(std::move(*reservation));
  } else if (auto* reply = std::get_if<gate::Reply>(&admission.verdict)) {
    co_await exchange_.answer(reply->decision, std::move(reply->answer));
  } else {
    const bool holds = exchange_.rules->enforcement(*exchange_.policy).holds_for_all();
    if (holds) exchange_.words = exchange_.policy;
    Passing passing(exchange_, body_);
    co_await passing.run();
  }
}

/// True: the body came with the head, as nearly all do, and is read where it lies; or there is
/// none.
bool Covered::take_body() {
  exchange_.begin_body();
  const Framing& framing = client_.head.framing;
  if (framing.kind == Framing::Kind::none) return true;
  if (framing.kind != Framing::Kind::length || client_.buffer.size() < framing.length) return false;
  body_ = client_.buffer.view().substr(0, framing.length);
  client_.buffer.consume(framing.length);
  return true;
}

Task<std::optional<BadHead>> Covered::collect_body() {
  const ClientLimits& limits = exchange_.options().limits;
  if (client_.head.expects_continue && client_.head.minor_version == 1 && client_.buffer.empty()) {
    const io::IoResult written = co_await client_.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (written.error != io::IoError::none)
      co_return BadHead{400, "client-left", "The client left before its body."};
  }
  exchange_.keep_head();
  reader_.emplace(client_.head.framing, HeadLimits{limits.head_bytes, limits.headers});
  collected_.reserve(first_step(client_.head.framing.length));
  BufferBudget::Share share(worker_.bodies(), worker_, client_, worker_.metrics());
  client_.expire_after(limits.body_timeout);
  while (true) {
    const BodyReader::Piece piece = reader_->take(client_.buffer);
    if (piece.state == State::end) break;
    if (piece.state == State::malformed) {
      co_return BadHead{400, "chunked", "The body is not well-formed chunked coding."};
    }
    if (piece.state == State::data) {
      collected_ += piece.data;
      if (collected_.size() > limits.body_bytes) co_return too_large;
      const bool kept = share.grow(piece.data.size(), collected_.capacity(), worker_.loop().now());
      if (!kept) co_return shed_body();
      continue;
    }
    const io::IoError error = co_await client_.fill(body_buffer_bytes);
    if (share.shed()) co_return shed_body();
    if (error == io::IoError::timed_out) {
      co_return BadHead{408, "body-timeout", "The body did not come in time."};
    }
    if (error != io::IoError::none)
      co_return BadHead{400, "client-left", "The client left within its body."};
  }
  client_.disarm();
  body_ = collected_;
  co_return std::nullopt;
}

BadHead Covered::shed_body() {
  worker_.metrics().shed(telemetry::Buffered::bodies);
  return too_slow;
}

void Covered::write_head(const gate::Forward& reservation) {
  CoveredFields fields = exchange_.covered_fields(body_.size());
  fields.fingerprint = reservation.permit.fingerprint();
  fields.fence = reservation.permit.fence();
  client_.out.clear();
  write_covered_request_head(client_.head, fields, exchange_.setup->upstream_name, client_.out);
}

Task<void> Covered::forward(gate::Forward reservation) {
  // A policy in shadow mode delays no request.
  Slots* const turns = reservation.watched ? nullptr : exchange_.rules->turns(*exchange_.policy);
  UpstreamCall call(worker_, exchange_.setup, client_.head.method, exchange_.policy_id(), turns);
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

Task<void> Covered::forward_by(UpstreamCall& call, gate::Forward reservation) {
  AnswerRelay relay(exchange_, call);
  exchange_.trace.begin_forward();
  captured_bytes_max_ = reservation.policy->replay.body_bytes_max;
  write_head(reservation);
  const gate::Outcome outcome = co_await ask_upstream(call, relay);
  const auto* real = std::get_if<gate::Answered>(&outcome);
  call.count(real != nullptr ? real->status : 0);
  exchange_.trace.mark(TraceMark::settle_begins);
  gate::Settlement settlement =
      co_await worker_.gate().settle(*exchange_.rules, std::move(reservation), outcome);
  exchange_.trace.mark(TraceMark::settle_ends);
  if (settlement.answer) {
    std::string_view error = "The completion could not be stored.";
    if (const auto* unknown = std::get_if<gate::Unknown>(&outcome)) error = unknown->detail;
    if (const auto* not_sent = std::get_if<gate::NotSent>(&outcome)) error = not_sent->detail;
    co_await exchange_.answer(settlement.decision, std::move(*settlement.answer), error, &call);
  } else if (whole_) {
    co_await relay.run_whole(settlement.decision, captured_);
  } else {
    co_await relay.run_captured(settlement.decision, std::move(captured_));
  }
}

Task<gate::Outcome> Covered::ask_upstream(UpstreamCall& call, AnswerRelay& relay) {
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
Task<void> Covered::send_rest(UpstreamCall& call) {
  const io::IoError error = co_await call.send_rest();
  if (error == io::IoError::timed_out) {
    call.give_up();
  } else {
    call.await_response();
  }
}

Task<std::optional<gate::Unknown>> Covered::read_final_head(UpstreamCall& call,
                                                            AnswerRelay& relay) {
  while (true) {
    const UpstreamCall::HeadRead read = co_await call.read_head();
    if (read.failure) co_return read.failure;
    if (!call.interim()) co_return std::nullopt;
    // The client had its 100 from here, or asked for none.
    if (call.head.status != 100 && client_.head.minor_version == 1) {
      const bool sent = co_await relay.run_interim();
      if (!sent) exchange_.keep_alive = false;
    }
    call.drop_interim();
  }
}

Task<gate::Outcome> Covered::capture(UpstreamCall& call) {
  const std::size_t bytes_max = captured_bytes_max_;
  const Framing& framing = call.head.framing;
  call.begin_body();
  const bool too_long = framing.kind == Framing::Kind::length && framing.length > bytes_max;
  if (too_long || endless(call.head)) {
    // An answer that has broken off is not an answer. No more bytes are waited for.
    BodyReader::Piece piece = call.take_body();
    while (piece.state == State::data) {
      captured_ += piece.data;
      piece = call.take_body();
    }
    if (piece.state == State::malformed) co_return gate::Unknown{false, call.body_error};
    co_return answered(call, false, too_long ? NotKept::too_large : NotKept::stream);
  }
  // Only where not all of it is there yet.
  std::optional<BufferBudget::Share> share;
  while (true) {
    BodyReader::Piece piece = call.take_body();
    if (piece.state == State::need_more) {
      if (!share) {
        share.emplace(worker_.answers(), worker_, *call.connection, worker_.metrics());
        share->grow(captured_.size(), captured_.capacity(), worker_.loop().now());
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
    const bool kept = share->grow(piece.data.size(), captured_.capacity(), worker_.loop().now());
    if (!kept) co_return shed_answer(call);
  }
  // The connection serves others while the completion becomes durable.
  call.keep_head();
  call.finish();
  co_return answered(call, true);
}

/// Too much is being kept at once, and this answer is the slowest: it goes on to the client, as one
/// that is too large to be kept.
gate::Answered Covered::shed_answer(const UpstreamCall& call) {
  worker_.metrics().shed(telemetry::Buffered::answers);
  return answered(call, false, NotKept::crowded);
}

/// The answer as the gate remembers it.
gate::Answered Covered::answered(const UpstreamCall& call, bool whole, NotKept not_kept) {
  whole_ = whole;
  if (whole) exchange_.answer_body_bytes = captured_.size();
  answer_fields_.clear();
  answer_fields_.reserve(call.head.fields.size() + 1);
  if (call.head.date < 0) answer_fields_.push_back({"Date", worker_.date()});
  append_lasting_fields(call.head, answer_fields_);
  return {call.head.status, answer_fields_, captured_, whole, not_kept};
}

}  // namespace onceproxy::http
