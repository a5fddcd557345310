#include "proxy/http/covered.hpp"

#include <utility>

namespace onceproxy::http {

namespace {

using State = BodyReader::State;
using gate::Decision;
using policies::Enforcement;

/// What one read may bring in. Small, since every client whose body is still arriving keeps a
/// buffer of this size beside what `limits.buffered_bytes` bounds.
constexpr std::size_t body_buffer_bytes = 16 * 1024;

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

}  // namespace

/// The request continues although it would be refused before its operation is known.
void Covered::watch_unread() {
  const policies::Policy& first = coverage_.first();
  exchange_.covered_by(first);
  if (exchange_.rules().enforcement(first).mode == Enforcement::Mode::shadow) {
    exchange_.would_decide(Decision::bad_request);
  }
}

/// The request is refused before its operation is known.
Task<void> Covered::refuse(const BadHead& why) {
  std::string().swap(collected_);
  const policies::Policy& first = coverage_.first();
  exchange_.covered_by(first);
  if (exchange_.rules().enforcement(first).mode == Enforcement::Mode::enforce) {
    exchange_.answer_as(first);
  }
  return exchange_.refuse(why);
}

/// False: none of the candidates covers the request.
bool Covered::choose_policy(policies::Document& document) {
  const policies::Policy* const covering = coverage_.covering(request_.view(), document);
  if (covering != nullptr) exchange_.covered_by(*covering);
  return covering != nullptr;
}

/// The gate lets the request pass.
Covered::Next Covered::pass_through() {
  const policies::Policy& policy = *exchange_.policy();
  if (exchange_.rules().enforcement(policy).holds_for_all()) exchange_.answer_as(policy);
  return BodySoFar(BodyWhole{body_});
}

Task<Covered::Next> Covered::admit() {
  std::optional<BadHead> bad = coverage_.check_head(request_.head(), request_.wants_websocket(),
                                                    exchange_.options().limits.body_bytes);
  if (bad && coverage_.only_watched()) {
    watch_unread();
    co_return BodySoFar(BodyUnread{});
  }
  if (!bad && !take_body()) bad = co_await collect_body();
  const bool could_pass =
      bad && (bad->status == body_too_large.status || bad->reason == too_slow.reason);
  if (could_pass && coverage_.only_watched()) {
    watch_unread();
    client_.disarm();
    co_return BodySoFar(BodyBegun{std::move(collected_), std::move(*reader_)});
  }
  if (bad) {
    co_await refuse(*bad);
    co_return Replied{};
  }
  exchange_.request_body_is(body_);
  policies::Document document(request_.view(), body_, exchange_.options().limits.body_bytes);
  if (!choose_policy(document)) co_return BodySoFar(BodyWhole{body_});

  RequestTrace& trace = exchange_.trace();
  const std::string for_duplicates = trace.for_duplicates();
  trace.mark(TraceMark::reserve_begins);
  const gate::Asking asking{request_.id(),  trace.id(),
                            for_duplicates, request_.head().size + body_.size(),
                            body_,          exchange_.date()};
  gate::Admission admission = co_await gate_.admit(exchange_.rules(), *exchange_.policy(),
                                                   request_.view(), document, asking);
  trace.mark(TraceMark::reserve_ends);
  exchange_.admitted(admission);
  if (auto* reservation = std::get_if<gate::Forward>(&admission.verdict)) {
    if (!reservation->watched) exchange_.answer_as(*reservation->policy);
    co_return std::move(*reservation);
  }
  if (auto* accepted = std::get_if<gate::Accepted>(&admission.verdict)) {
    co_await exchange_.answer(Decision::accepted, std::move(accepted->answer));
    co_return Replied{};
  }
  if (auto* reply = std::get_if<gate::Reply>(&admission.verdict)) {
    co_await exchange_.answer(reply->decision, std::move(reply->answer));
    co_return Replied{};
  }
  co_return pass_through();
}

/// True: the body came with the head, as nearly all do, and is read where it lies; or there is
/// none.
bool Covered::take_body() {
  request_.begin_body();
  const Framing& framing = request_.head().framing;
  if (framing.kind == Framing::Kind::none) return true;
  if (framing.kind != Framing::Kind::length || client_.buffer.size() < framing.length) return false;
  body_ = client_.buffer.view().substr(0, framing.length);
  client_.buffer.consume(framing.length);
  return true;
}

Task<std::optional<BadHead>> Covered::collect_body() {
  const ClientLimits& limits = exchange_.options().limits;
  const RequestHead& head = request_.head();
  if (head.expects_continue && head.minor_version == 1 && client_.buffer.empty()) {
    const io::IoResult written = co_await client_.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (written.error != io::IoError::none)
      co_return BadHead{400, "client-left", "The client left before its body."};
  }
  request_.keep_head();
  reader_.emplace(head.framing, HeadLimits{limits.head_bytes, limits.headers});
  collected_.reserve(first_step(head.framing.length));
  BufferBudget::Share share(bodies_, client_);
  client_.expire_after(limits.body_timeout);
  while (true) {
    const BodyReader::Piece piece = reader_->take(client_.buffer);
    if (piece.state == State::end) break;
    if (piece.state == State::malformed) {
      co_return BadHead{400, "chunked", "The body is not well-formed chunked coding."};
    }
    if (piece.state == State::data) {
      collected_ += piece.data;
      if (collected_.size() > limits.body_bytes) co_return body_too_large;
      const bool kept = share.grow(piece.data.size(), collected_.capacity(), bodies_.now());
      if (!kept) co_return shed_body();
      continue;
    }
    const io::IoError error = co_await client_.fill(body_buffer_bytes);
    if (share.shed()) co_return shed_body();
    if (error == io::IoError::timed_out) {
      co_return BadHead{408, "body-timeout", "The body did not arrive in time."};
    }
    if (error != io::IoError::none)
      co_return BadHead{400, "client-left", "The client left within its body."};
  }
  client_.disarm();
  body_ = collected_;
  co_return std::nullopt;
}

BadHead Covered::shed_body() {
  bodies_.count_shed();
  return too_slow;
}

}  // namespace onceproxy::http
