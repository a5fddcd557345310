#include "proxy/http2/connection.hpp"

#include <exception>
#include <utility>

#include "proxy/telemetry/log.hpp"
#include "proxy/tls/session.hpp"

namespace onceproxy::http2 {

namespace {

using io::IoError;
using io::Task;
using std::chrono::milliseconds;
using telemetry::Http2End;
using telemetry::LogLevel;

/// How often timeouts are checked; they are late by up to this time.
constexpr milliseconds pulse{100};
constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t write_bytes = 64 * 1024;
/// A client that has not answered the PING after the first GOAWAY has probably read it after this
/// time.
constexpr milliseconds announcement_time{1'000};
/// How long, and how many bytes, a client may send after the last GOAWAY, so that it reads the
/// GOAWAY before the connection is reset.
constexpr milliseconds linger_time{1'000};
constexpr std::size_t linger_bytes = 256 * 1024;
/// The socket's own deadline, which is not used: the timeouts are checked here.
constexpr std::chrono::hours no_deadline{24 * 365};

}  // namespace

Connection::Connection(Parts& parts, io::Socket socket, std::string address, io::Slots::Taken slot,
                       std::shared_ptr<const tls::ServerContext> tls)
    : io::Deadline(parts.loop.deadlines()),
      parts_(parts),
      slot_(std::move(slot)),
      stream_(parts.loop, std::move(socket), parts.limits.stall),
      tls_context_(std::move(tls)),
      origin_(std::make_shared<Origin>()),
      began_(parts.loop.now()),
      last_read_(began_) {
  origin_->address = std::move(address);
  // HTTP/2 clients switch off Nagle's algorithm.
  stream_.acknowledge_with_answers();
  parts_.counters.connection_began();
}

Connection::~Connection() {
  parts_.counters.connection_ended(end_.value_or(Http2End::broken));
}

Task<void> Connection::serve() {
  if (tls_context_) {
    const bool secured = co_await shake_hands();
    if (!secured) co_return;
  }
  stream_.expire_after(no_deadline);
  session_.emplace(static_cast<Session::Owner&>(*this), parts_.loop, parts_.limits, origin_,
                   parts_.counters);
  if (ending_since_) session_->announce_end();
  arm(pulse);
  writing_.begin(write_out());
  std::exception_ptr defect;
  try {
    const bool ended = co_await read_in();
    // The client has ended, so nobody would read the remaining output.
    if (ended) stream_.close();
  } catch (...) {
    defect = std::current_exception();
    stream_.close();
  }
  done_ = true;
  wants_to_write();
  co_await writing_.ended();
  if (defect) std::rethrow_exception(defect);
  disarm();
  note_session_end();
  tell_end();
  // Exchanges become gone now, although the client may still send data.
  session_.reset();
  co_await linger();
}

/// Makes the TLS handshake. Returns false if it failed, or if the client does not support HTTP/2.
Task<bool> Connection::shake_hands() {
  const bool asks = tls_context_->asks_for_certificates();
  if (!stream_.open()) co_return false;
  stream_.speak_tls(std::exchange(tls_context_, nullptr));
  stream_.expire_after(parts_.limits.header_timeout);
  const IoError error = co_await stream_.handshake();
  telemetry::TlsMetrics& metrics = parts_.tls_metrics;
  if (error == IoError::timed_out) {
    note_end(Http2End::timeout);
    metrics.failed(parts_.tls_port, origin_->address, "timeout", "the handshake took too long");
    co_return false;
  }
  if (error != IoError::none) {
    if (end_) co_return false;
    note_end(Http2End::broken);
    const tls::Failure& failure = stream_.tls()->failure();
    metrics.failed(parts_.tls_port, origin_->address, failure.reason, failure.message);
    co_return false;
  }
  if (stream_.tls()->protocol() != "h2") {
    note_end(Http2End::protocol);
    metrics.failed(parts_.tls_port, origin_->address, "protocol",
                   "the client does not offer h2 (ALPN)");
    co_return false;
  }
  metrics.handshake(parts_.tls_port, stream_.tls()->resumed());
  origin_->secure = true;
  if (asks) origin_->certificate = tls::peer_of(stream_.tls()->native());
  co_return true;
}

// --- bytes

/// Returns true if the client has ended or the socket is closed, and false if the session is over
/// and the client gets the reason.
Task<bool> Connection::read_in() {
  while (!done_) {
    co_await Rest{*this};
    if (done_) break;
    const IoError error = co_await stream_.fill(read_bytes);
    if (done_) break;
    if (error != IoError::none) {
      note_end(error == IoError::eof         ? Http2End::peer
               : error == IoError::timed_out ? Http2End::stopped
                                             : Http2End::broken);
      co_return true;
    }
    last_read_ = parts_.loop.now();
    const bool good = session_->receive(stream_.buffer.view(), last_read_);
    stream_.buffer.consume(stream_.buffer.size());
    start_handlers();
    if (!good) break;
    // A client that floods may not read the reason for the end.
    if (session_->flood() && !close_at_) close_at_ = last_read_ + linger_time;
    go_on_ending();
  }
  co_return false;
}

Task<void> Connection::write_out() {
  while (true) {
    out_.clear();
    const bool good = session_->frames(out_, write_bytes, parts_.loop.now());
    if (out_.empty()) {
      if (!good || done_ || session_->over()) break;
      // An idle connection must not keep the memory of one large answer.
      if (out_.capacity() > io::Buffer::kept_bytes) std::string().swap(out_);
      co_await Kick{*this};
      continue;
    }
    const io::IoResult written = co_await stream_.write(out_);
    if (written.error != IoError::none) {
      note_end(Http2End::broken);
      break;
    }
    if (!good) break;
  }
  done_ = true;
  stream_.cancel();
  look_at_rest();
}

/// Whether the client's resets exceed their rate, so that nothing should be read now.
bool Connection::must_rest() const {
  return !done_ && stream_.open() && session_->pause(parts_.loop.now()).count() > 0;
}

void Connection::begin_rest(std::coroutine_handle<> waiter) {
  resting_ = waiter;
  parts_.counters.paused();
  if (std::exchange(told_rest_, true)) return;
  telemetry::log(LogLevel::warn,
                 "HTTP/2 connection is read slowly: the client resets too many streams",
                 {{"listener", parts_.listener}, {"peer", origin_->address}});
}

void Connection::look_at_rest() {
  if (resting_ && !must_rest()) parts_.loop.defer_soon(*this);
}

void Connection::wants_to_write() {
  kicked_ = true;
  if (writer_) parts_.loop.defer_soon(*this);
}

void Connection::run() {
  if (writer_ && kicked_) std::exchange(writer_, nullptr).resume();
  if (resting_ && !must_rest()) std::exchange(resting_, nullptr).resume();
}

/// Reads and discards what the client still sends, so that the client reads the last GOAWAY before
/// a reset (RFC 9113, section 6.8).
Task<void> Connection::linger() {
  if (!stream_.open()) co_return;
  stream_.shutdown_send();
  stream_.expire_after(linger_time);
  std::size_t discarded = 0;
  while (discarded < linger_bytes) {
    stream_.buffer.consume(stream_.buffer.size());
    const IoError error = co_await stream_.fill(io::Buffer::initial_bytes);
    if (error != IoError::none) co_return;
    discarded += stream_.buffer.size();
  }
}

// --- requests

void Connection::start_handlers() {
  while (Exchange::Pointer exchange = session_->begun()) {
    ++parts_.handlers;
    io::start(handle(parts_, std::move(exchange)));
  }
}

/// The top-level task of a request. An unexpected exception of its handler ends only this request.
Task<void> Connection::handle(Parts& parts, Exchange::Pointer exchange) {
  try {
    co_await parts.handler.serve(*exchange);
    if (exchange->open()) {
      parts.counters.handler_failed();
      telemetry::log(LogLevel::error, "HTTP/2 request got no answer from its handler",
                     {{"listener", parts.listener}, {"path", exchange->request().path}});
    }
  } catch (const std::exception& error) {
    parts.counters.handler_failed();
    telemetry::log(LogLevel::error, "HTTP/2 request failed",
                   {{"listener", parts.listener},
                    {"path", exchange->request().path},
                    {"error", error.what()}});
  }
  exchange->handler_ended();
  --parts.handlers;
}

// --- its end

void Connection::close() {
  note_end(Http2End::stopped);
  stream_.close();
  look_at_rest();
}

std::optional<Connection::Clock::time_point> Connection::unused_since() const {
  if (ending_since_ || done_ || end_) return std::nullopt;
  return session_ ? idle_since_ : std::optional(began_);
}

void Connection::give_way() {
  if (session_) return end_softly(Http2End::crowded);
  note_end(Http2End::crowded);
  stream_.close();
}

void Connection::end_softly(Http2End why) {
  if (ending_since_) return;
  note_end(why);
  ending_since_ = parts_.loop.now();
  origin_->draining = true;
  if (session_) session_->announce_end();
}

/// Sends the second GOAWAY when the client has read the first one (RFC 9113, section 6.8).
void Connection::go_on_ending() {
  if (!ending_since_) return;
  const bool heard = session_->pings_open() == 0;
  if (heard || parts_.loop.now() - *ending_since_ >= announcement_time) session_->end_requests();
}

void Connection::note_end(Http2End why) {
  if (!end_) end_ = why;
}

void Connection::note_session_end() {
  if (session_->flood()) {
    parts_.counters.flooded(static_cast<std::size_t>(*session_->flood()));
    end_ = Http2End::flood;
  } else if (session_->failed()) {
    end_ = Http2End::protocol;
  } else {
    note_end(Http2End::peer);
  }
}

void Connection::tell_end() const {
  const std::string_view reason = telemetry::http2_ends[static_cast<std::size_t>(*end_)];
  if (end_ == Http2End::flood) {
    telemetry::log(LogLevel::warn,
                   "HTTP/2 connection closed: the client sent too many frames of one kind",
                   {{"listener", parts_.listener},
                    {"peer", origin_->address},
                    {"of", name_of(*session_->flood())}});
  } else if (end_ == Http2End::protocol) {
    telemetry::log(LogLevel::info, "HTTP/2 connection failed",
                   {{"listener", parts_.listener},
                    {"peer", origin_->address},
                    {"error", session_->failure()}});
  } else if (end_ == Http2End::ping || end_ == Http2End::timeout) {
    telemetry::log(LogLevel::info, "HTTP/2 connection closed",
                   {{"listener", parts_.listener}, {"peer", origin_->address}, {"reason", reason}});
  }
}

// --- timeouts

void Connection::expired() {
  if (!session_ || done_) return;
  arm(pulse);
  look(parts_.loop.now());
  look_at_rest();
}

void Connection::look(Clock::time_point now) {
  if (close_at_ && now >= *close_at_) return stream_.close();
  if (!look_at_heads(now) || !look_at_silence(now)) return;
  session_->look(now);
  go_on_ending();
  if (session_->open_exchanges() > 0 || origin_->handlers > 0) {
    idle_since_.reset();
  } else if (!idle_since_) {
    idle_since_ = now;
  } else if (now - *idle_since_ >= parts_.limits.idle_timeout) {
    end_softly(Http2End::idle);
  }
}

/// Returns false if the client's preface or a header block takes too long.
bool Connection::look_at_heads(Clock::time_point now) {
  Clock::time_point since = began_;
  if (session_->greeted()) {
    if (!session_->in_header_block()) return true;
    // If it is not the same block as at the last check, it has begun since then.
    if (block_ != session_->header_blocks()) {
      block_ = session_->header_blocks();
      block_since_ = now;
    }
    since = block_since_;
  }
  if (now - since < parts_.limits.header_timeout) return true;
  note_end(Http2End::timeout);
  stream_.close();
  return false;
}

/// Returns false if the client no longer responds.
bool Connection::look_at_silence(Clock::time_point now) {
  if (parts_.limits.ping_interval.count() == 0) return true;
  // A client that is not read from is not silent.
  if (resting_) last_read_ = now;
  if (pinged_ && last_read_ > *pinged_) pinged_.reset();
  if (!pinged_) {
    if (now - last_read_ >= parts_.limits.ping_interval) {
      pinged_ = now;
      session_->ping();
    }
    return true;
  }
  if (now - *pinged_ < parts_.limits.ping_timeout) return true;
  note_end(Http2End::ping);
  stream_.close();
  return false;
}

}  // namespace onceproxy::http2
