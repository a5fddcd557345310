#include "proxy/http/upstream_call.hpp"

#include <algorithm>
#include <new>

#include "proxy/http/abandoned_call.hpp"

namespace onceproxy::http {

namespace {

using gate::NotSent;
using gate::Unknown;
using std::chrono::steady_clock;

/// RFC 9110 15.2 sets no number; ten 1xx are more than anybody needs.
constexpr int interim_max = 10;

/// What one read of an answer's body may bring in.
constexpr std::size_t body_buffer_bytes = 64 * 1024;

HeadLimits head_limits(const UpstreamOptions& options) {
  return {options.head_bytes_max, response_fields_max, options.lenient_http};
}

}  // namespace

UpstreamCall::UpstreamCall(UpstreamPool& upstream, const std::shared_ptr<const Setup>& setup,
                           std::string_view method, Slots* policy_turns)
    : upstream_(upstream), setup_(setup), method_(method), policy_turns_(policy_turns) {}

/// If the upstream has ended the connection, it is not.
bool UpstreamCall::upstream_may_be_at_work() const {
  const bool holds_turns = turn_.has_value() || policy_turn_.has_value();
  return holds_turns && unfinished_ && !unsent_ && !spoiled && connection && connection->open();
}

UpstreamCall::~UpstreamCall() {
  if (!upstream_may_be_at_work()) return;
  try {
    AbandonedCall::Rest rest{
        setup_,  std::move(connection), std::move(policy_turn_), std::move(turn_),
        method_, std::move(body_)};
    upstream_.abandon(std::make_unique<AbandonedCall>(std::move(rest)));
  } catch (const std::bad_alloc&) {
    // The turns were released while unwinding: the limit is exceeded for a while, and all calls
    // continue.
  }
}

/// The policy's turn first, then the upstream's, for every request: no two wait for each other. A
/// request that is sent again has them already. False: one did not come in time.
Task<bool> UpstreamCall::take_turns(std::size_t bytes) {
  if (policy_turns_ != nullptr && !policy_turn_) {
    std::optional<UpstreamPool::Turn> turn = co_await upstream_.turn(*policy_turns_, bytes);
    if (!turn) co_return false;
    policy_turn_.emplace(std::move(*turn));
  }
  if (Slots* const turns = turn_ ? nullptr : upstream_.turns()) {
    std::optional<UpstreamPool::Turn> turn = co_await upstream_.turn(*turns, bytes);
    if (!turn) co_return false;
    turn_.emplace(std::move(*turn));
  }
  co_return true;
}

Task<UpstreamCall::Result> UpstreamCall::send(io::Stream::Parts parts) {
  std::size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  if (policy_turns_ != nullptr || upstream_.turns() != nullptr) {
    const bool taken = co_await take_turns(bytes);
    if (!taken) {
      co_return Failure(not_sent(
          {NotSent::Reason::busy, "No turn was free in time, or too many requests wait."}));
    }
  }
  while (true) {
    connection = upstream_.take_idle();
    if (!connection) {
      UpstreamPool::Acquired acquired = co_await upstream_.acquire(bytes);
      if (!acquired.connection) {
        tls_failure = std::move(acquired.tls_failure);
        co_return Failure(not_sent(acquired.error));
      }
      connection = std::move(acquired.connection);
    }
    if (cut_ || (lapsed_ && lapsed_())) {
      co_return Failure(
          not_sent({NotSent::Reason::busy, "The reservation's lease ended before it was sent."}));
    }
    if (setup_->options.access_format) host_ = address_text(connection->destination.address);
    sent_at_ = steady_clock::now();
    unsent_ = false;
    const bool reused = connection->reused();
    io::IoResult written;
    if (reused) {
      written = co_await connection->write_if_quiet(parts);
    } else {
      written = co_await connection->write_listening(parts);
    }
    if (written.error == io::IoError::none) co_return std::nullopt;
    if (!written.nothing_left() && written.error != io::IoError::timed_out) {
      // Also if the upstream closed: what it said before is still to be read.
      keep_rest(parts, written.bytes);
      co_return std::nullopt;
    }
    if (reused && written.error != io::IoError::timed_out) note_lost();
    connection.reset();
    // Not one byte was taken: certain not to be executed. A kept connection may have been closed
    // by its peer meanwhile, which a new one tells.
    if (written.nothing_left() && reused) continue;
    if (written.nothing_left()) {
      co_return Failure(
          not_sent({NotSent::Reason::unreachable, "The upstream closed the connection."}));
    }
    const bool stalled = written.error == io::IoError::timed_out;
    fault_ = stalled ? ForwardFault::timed_out : ForwardFault::broken;
    co_return Failure(Unknown{stalled, "The connection broke while the request was sent."});
  }
}

/// Notes the failure for the access log.
NotSent UpstreamCall::not_sent(NotSent why) {
  fault_ = why.reason == NotSent::Reason::busy      ? ForwardFault::overflow
           : why.reason == NotSent::Reason::timeout ? ForwardFault::connect_timeout
                                                    : ForwardFault::unreachable;
  return why;
}

void UpstreamCall::keep_rest(const io::Stream::Parts& parts, std::size_t written) {
  unsent_ = true;
  rest_ = parts;
  for (std::string_view& part : rest_) {
    const std::size_t gone = std::min(written, part.size());
    part.remove_prefix(gone);
    written -= gone;
  }
}

Task<io::IoError> UpstreamCall::send_rest() {
  const io::IoResult written = co_await connection->write(rest_);
  if (written.error == io::IoError::none) unsent_ = false;
  co_return written.error;
}

void UpstreamCall::await_response() {
  unfinished_ = true;
  if (cut_) {
    give_up();
    return;
  }
  if (!answering_) connection->expire_after(options().response_timeout);
}

void UpstreamCall::give_up() {
  connection->expire_after(std::chrono::milliseconds(0));
}

void UpstreamCall::cut() {
  cut_ = true;
  if (!connection) return;
  spoiled = true;
  // Also what is just being written ends.
  connection->close();
}

/// A kept connection proved to be ended. One that was closed here says nothing about the upstream.
void UpstreamCall::note_lost() {
  if (connection->open()) upstream_.lost(*connection);
}

Task<UpstreamCall::HeadRead> UpstreamCall::read_head() {
  const std::size_t bytes_max = options().head_bytes_max;
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = find_head_end(connection->buffer.view(), searched);
    if (end > 0) {
      const auto refused = check_head(connection->buffer.view().substr(0, end));
      if (refused) fault_ = ForwardFault::malformed;
      co_return HeadRead{refused, false};
    }
    searched = connection->buffer.size();
    const io::IoError error = co_await connection->fill(bytes_max);
    if (error == io::IoError::none) continue;
    note_end(error);
    if (error == io::IoError::no_room) {
      co_return HeadRead{
          Unknown{false, "The answer's head is larger than upstream.head_bytes allows."}, false};
    }
    timed_out = error == io::IoError::timed_out || cut_;
    const bool unanswered = connection->buffer.empty() && interims_ == 0 && !timed_out;
    if (unanswered && connection->reused()) note_lost();
    co_return HeadRead{
        Unknown{timed_out, timed_out ? std::string_view("No answer came in time.")
                                     : std::string_view("The connection ended without an answer.")},
        unanswered};
  }
}

/// The text of the refusal. It says so if the lenient parser would have accepted the head.
std::string_view UpstreamCall::malformed_head(const BadHead& bad, std::string_view bytes) {
  malformed_ = "The answer's head is malformed";
  if (bad.line > 0) malformed_.append(" in line ").append(std::to_string(bad.line));
  malformed_.append(": ").append(bad.detail);
  HeadLimits limits = head_limits(options());
  if (limits.lenient) return malformed_;
  limits.lenient = true;
  ResponseHead other;
  if (!parse_response_head(bytes, limits, method_, other)) {
    malformed_ += " upstream.http: lenient accepts it.";
  }
  return malformed_;
}

std::optional<Unknown> UpstreamCall::check_head(std::string_view bytes) {
  const HeadLimits limits = head_limits(options());
  if (const auto bad = parse_response_head(bytes, limits, method_, head)) {
    unfinished_ = false;
    return Unknown{false, malformed_head(*bad, bytes)};
  }
  // Whatever comes behind that, it is an answer.
  if (head.status == 101) unfinished_ = false;
  if (head.status == 101 && !asked_for_upgrade_) {
    return Unknown{false, "The upstream switched protocols unasked."};
  }
  if (interim()) {
    if (++interims_ > interim_max) return Unknown{false, "Too many interim answers."};
    return std::nullopt;
  }
  body_.emplace(head.framing, limits);
  return std::nullopt;
}

/// A read failed. Notes whether the upstream may still be processing the request.
void UpstreamCall::note_end(io::IoError error) {
  fault_ = error == io::IoError::timed_out ? ForwardFault::timed_out
           : error == io::IoError::no_room ? ForwardFault::malformed
                                           : ForwardFault::broken;
  if (error == io::IoError::timed_out) return;
  // If the read was cancelled here, the upstream continues.
  if (error == io::IoError::broken && connection->quiet(true)) return;
  unfinished_ = false;
}

void UpstreamCall::drop_interim() {
  connection->buffer.consume(head.size);
}

void UpstreamCall::begin_body() {
  answering_ = true;
  connection->disarm();
  if (unsent_) spoiled = true;
  head_begin_ = connection->buffer.view().data();
  connection->buffer.consume(head.size);
}

void UpstreamCall::keep_head() {
  if (!kept_head_.empty()) return;
  kept_head_.assign(head_begin_, head.size);
  head.move_views(head_begin_, kept_head_.data());
  head.reason = moved_view(head.reason, head_begin_, kept_head_.data());
}

BodyReader::Piece UpstreamCall::take_body() {
  const BodyReader::Piece piece = body_->take(connection->buffer);
  if (piece.state == BodyReader::State::malformed) {
    const ChunkedDecoder& chunks = body_->chunks();
    malformed_ = "The answer's body is malformed at byte ";
    malformed_.append(std::to_string(chunks.fault_at())).append(": ").append(chunks.fault()) += '.';
    body_error = malformed_;
    fault_ = ForwardFault::malformed;
  }
  return piece;
}

Task<BodyReader::Piece> UpstreamCall::read_body() {
  return read_body(nullptr);
}

Task<BodyReader::Piece> UpstreamCall::read_body(io::Piped& piped) {
  return read_body(&piped);
}

void UpstreamCall::take_piped(io::Piped& piped) {
  const std::uint64_t bytes = body_->to_come();
  if (bytes >= spliced_bytes_min && connection->take_piped(piped, bytes)) {
    body_->passed(piped.bytes());
  }
}

Task<BodyReader::Piece> UpstreamCall::read_body(io::Piped* piped) {
  while (true) {
    const BodyReader::Piece piece = take_body();
    if (piece.state != BodyReader::State::need_more) co_return piece;
    keep_head();
    // While the request is still being sent, an upstream that takes it is not idle.
    if (!spoiled) connection->expire_after(options().idle_timeout);
    const std::uint64_t to_come = piped != nullptr ? body_->to_come() : 0;
    io::IoError error = io::IoError::none;
    if (to_come >= spliced_bytes_min) {
      error = co_await connection->fill(body_buffer_bytes, *piped, to_come);
    } else {
      error = co_await connection->fill(body_buffer_bytes);
    }
    connection->disarm();
    if (error == io::IoError::none && to_come >= spliced_bytes_min && !piped->empty()) {
      body_->passed(piped->bytes());
      co_return BodyReader::Piece{BodyReader::State::data, {}};
    }
    if (error == io::IoError::none) continue;
    if (error == io::IoError::eof && body_->whole_at_eof()) {
      co_return BodyReader::Piece{BodyReader::State::end, {}};
    }
    note_end(error);
    timed_out = error == io::IoError::timed_out || cut_;
    body_error = timed_out ? "The answer stopped coming." : "The answer broke off.";
    co_return BodyReader::Piece{BodyReader::State::malformed, {}};
  }
}

void UpstreamCall::finish() {
  unfinished_ = false;
  until_end_ = duration();
  connection->disarm();
  turn_.reset();
  policy_turn_.reset();
  if (spoiled) {
    connection->close();
    return;
  }
  if (head.keep_alive) {
    upstream_.give_back(std::move(connection), announced_keep_alive(head));
  } else {
    connection.reset();
  }
}

std::chrono::nanoseconds UpstreamCall::duration() const {
  if (until_end_.count() >= 0) return until_end_;
  if (sent_at_ == steady_clock::time_point()) return std::chrono::nanoseconds(-1);
  return steady_clock::now() - sent_at_;
}

ForwardRecord UpstreamCall::record(int status) const {
  return {true, timed_out, status, sent_at_, duration(), fault_, host_};
}

}  // namespace onceproxy::http
