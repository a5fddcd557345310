#include "proxy/http/passing.hpp"

#include <charconv>

#include "proxy/http/head_writer.hpp"
#include "proxy/http/tunnel.hpp"

namespace onceproxy::http {

namespace {

using State = BodyReader::State;

/// What one read of a streamed body may bring in.
constexpr std::size_t body_buffer_bytes = 64 * 1024;
/// nginx's status for a client that left before it was answered; in the log only.
constexpr int client_closed = 499;

/// Reads what has not been read yet.
BodyReader reader_of(BodySoFar& body, const RequestHead& head, const ClientLimits& limits) {
  if (auto* begun = std::get_if<BodyBegun>(&body)) return std::move(begun->rest);
  return {head.framing, {limits.head_bytes, limits.headers}};
}

}  // namespace

Passing::Passing(Exchange& exchange, Client& client, UpstreamPool& upstream, io::Pipes& pipes,
                 BodySoFar body)
    : exchange_(exchange),
      request_(exchange.request()),
      client_(client),
      pipes_(pipes),
      websocket_(request_.wants_websocket()),
      call_(upstream, exchange.setup(), request_.head().method),
      relay_(exchange, client, pipes, call_),
      request_body_(reader_of(body, request_.head(), exchange.options().limits)) {
  if (const auto* whole = std::get_if<BodyWhole>(&body)) body_ = whole->bytes;
  if (auto* begun = std::get_if<BodyBegun>(&body)) begun_ = std::move(begun->bytes);
}

Task<void> Passing::run() {
  if (websocket_ && request_.head().framing.kind != Framing::Kind::none) {
    // Its bytes could not be distinguished from those of the protocol that is switched to.
    co_await exchange_.refuse(
        {400, "upgrade-body", "A request that switches to WebSocket must not have a body."});
    co_return;
  }
  const io::Stream::Parts parts = first_parts();
  if (upload_ == Upload::malformed) {
    co_await exchange_.refuse({400, "chunked", "The body is not well-formed chunked coding."});
    co_return;
  }
  if (websocket_) call_.expect_upgrade();
  std::exception_ptr error;
  try {
    co_await exchange(parts);
  } catch (...) {
    error = std::current_exception();
  }
  // If it still runs, the request was answered before it was sent: the rest of it is not needed.
  if (sending_.running()) exchange_.close_behind();
  co_await end_upload();
  if (error) std::rethrow_exception(error);
}

Task<void> Passing::exchange(const io::Stream::Parts& parts) {
  const bool whole = upload_ == Upload::done;
  UpstreamCall::Result failure = co_await call_.send(parts);
  if (failure) {
    if (whole) use_up_body();
    co_await fail(*failure);
    co_return;
  }
  go_on(whole);
  co_await respond();
}

/// The first parts are on their way. `whole`: they hold the body to its end.
void Passing::go_on(bool whole) {
  if (whole && !call_.unsent()) {
    use_up_body();
    call_.await_response();
  } else {
    upload_ = Upload::running;
    sending_.begin(upload(whole));
  }
}

/// What was written from where it lay is used up now: what follows is the next request.
void Passing::use_up_body() {
  if (!body_) request_body_.take(client_.buffer);
}

/// What had been read of the body is sent; the rest may take long.
void Passing::drop_begun() {
  if (!begun_) return;
  begun_.reset();
  std::string().swap(client_.out);
}

/// The request's head and as much of its body as has come with it.
io::Stream::Parts Passing::first_parts() {
  client_.out.clear();
  exchange_.trace().begin_forward();
  if (body_ && exchange_.policy() != nullptr) {
    write_covered_request_head(request_.head(), exchange_.covered_fields(body_->size()),
                               exchange_.setup()->upstream_name, client_.out);
    return {client_.out, *body_};
  }
  // The code that read the body has asked for it already.
  const bool expect = request_.head().expects_continue && !body_ && !begun_;
  ConnectionFields kept{websocket_, expect, request_.certificate_field()};
  if (!exchange_.options().upstream.forwards_covered_only) {
    kept.forwarded = request_.forwarded_fields();
  }
  write_request_head(request_.head(), kept, exchange_.setup()->upstream_name,
                     exchange_.trace().fields(), client_.out);
  const bool chunked = request_.head().framing.kind == Framing::Kind::chunked;
  if (body_) {
    if (!chunked) return {client_.out, *body_};
    if (body_->empty()) {
      client_.out += last_chunk;
      return {client_.out};
    }
    write_chunk_size(body_->size(), client_.out);
    return {client_.out, *body_, chunk_end, last_chunk};
  }
  if (begun_) {
    exchange_.add_request_bytes(begun_->size());
    upload_ = Upload::pending;
    if (!chunked) return {client_.out, *begun_};
    if (begun_->empty()) return {client_.out};
    write_chunk_size(begun_->size(), client_.out);
    return {client_.out, *begun_, chunk_end};
  }
  request_.begin_body();
  while (true) {
    const BodyReader::Piece piece = request_body_.take(client_.buffer);
    switch (piece.state) {
      case State::end:
        if (chunked) client_.out += last_chunk;
        return {client_.out};
      case State::need_more:
        upload_ = Upload::pending;
        return {client_.out};
      case State::malformed:
        upload_ = Upload::malformed;
        return {};
      case State::data:
        if (chunked) {
          exchange_.add_request_bytes(piece.data.size());
          write_chunk(piece.data, client_.out);
          break;
        }
        // Counted: all that is here is one piece, and it need not be copied.
        upload_ =
            piece.data.size() < request_.head().framing.length ? Upload::pending : Upload::done;
        exchange_.add_request_bytes(piece.data.size());
        return {client_.out, piece.data};
    }
  }
}

Task<io::IoResult> Passing::upload_piece(std::string_view data) {
  if (request_.head().framing.kind != Framing::Kind::chunked) {
    const io::IoResult written = co_await call_.connection->write(data);
    co_return written;
  }
  char size[20];
  const auto end = std::to_chars(size, size + sizeof size - 2, data.size(), 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  const io::Stream::Parts parts{std::string_view(size, static_cast<std::size_t>(end + 2 - size)),
                                data, chunk_end};
  const io::IoResult written = co_await call_.connection->write(parts);
  co_return written;
}

/// Runs beside respond().
Task<void> Passing::upload(bool whole) {
  try {
    const Upload end = co_await upload_rest(whole);
    upload_ = end;
  } catch (...) {
    // respond() must not wait for an answer to a request that never ends.
    call_.connection->close();
    upload_ = Upload::upstream_failed;
    throw;
  }
  if (upload_ == Upload::done || upload_ == Upload::upstream_failed) {
    call_.await_response();
  } else {
    // The upstream must see a request that broke off, never one that looks whole.
    call_.connection->close();
  }
}

Task<Passing::Upload> Passing::upload_rest(bool whole) {
  if (call_.unsent()) {
    const io::IoError error = co_await call_.send_rest();
    if (error == io::IoError::timed_out) call_.give_up();
    if (error != io::IoError::none) co_return Upload::upstream_failed;
  }
  drop_begun();
  if (whole) {
    use_up_body();
    co_return Upload::done;
  }
  const bool chunked = request_.head().framing.kind == Framing::Kind::chunked;
  io::Piped piped(pipes_);
  while (!stop_sending_) {
    const BodyReader::Piece piece = request_body_.take(client_.buffer);
    if (piece.state == State::malformed) co_return Upload::malformed;
    if (piece.state == State::need_more) {
      request_.keep_head();
      const Options& options = exchange_.options();
      client_.expire_after(options.limits.body_timeout);
      // Until the request is whole the upstream need not answer: it is given the client's time, and
      // its own to take what the client sends.
      if (!call_.answering()) {
        call_.connection->expire_after(options.limits.body_timeout + options.upstream.idle_timeout);
      }
      const io::IoError error = co_await fill_body(piped);
      client_.disarm();
      if (error == io::IoError::timed_out) co_return Upload::client_slow;
      if (error != io::IoError::none) co_return Upload::client_failed;
      if (piped.empty()) continue;
      request_body_.passed(piped.bytes());
      exchange_.add_request_bytes(piped.bytes());
      const io::Stream::Parts none;
      const io::IoResult written = co_await call_.connection->write(none, piped);
      if (written.error != io::IoError::none) co_return Upload::upstream_failed;
      continue;
    }
    if (piece.state == State::end && !chunked) co_return Upload::done;
    exchange_.add_request_bytes(piece.data.size());
    // Of no data, at the end, this makes the last chunk.
    const io::IoResult written = co_await upload_piece(piece.data);
    if (written.error != io::IoError::none) co_return Upload::upstream_failed;
    if (piece.state == State::end) co_return Upload::done;
  }
  co_return Upload::upstream_failed;
}

/// More of the request's body, into the client's buffer or into the pipe.
Task<io::IoError> Passing::fill_body(io::Piped& piped) {
  const std::uint64_t to_come = request_body_.to_come();
  io::IoError error = io::IoError::none;
  if (to_come >= spliced_bytes_min && client_.splices() && call_.connection->splices()) {
    error = co_await client_.fill(body_buffer_bytes, piped, to_come);
  } else {
    error = co_await client_.fill(body_buffer_bytes);
  }
  co_return error;
}

/// The rest of the request is not needed. What it waits for ends at once.
Task<void> Passing::end_upload() {
  if (!sending_.running()) co_return;
  stop_sending_ = true;
  call_.connection->close();
  client_.cancel();
  co_await sending_.ended();
}

/// RFC 9110 9.2.2: a safe request that a kept connection did not answer may be sent again.
bool Passing::repeatable() const {
  const std::string_view method = request_.head().method;
  // One that a policy covers is not safe, whatever its method.
  return exchange_.policy() == nullptr &&
         (method == "GET" || method == "HEAD" || method == "OPTIONS") &&
         request_.head().framing.kind == Framing::Kind::none && !websocket_;
}

Task<void> Passing::respond() {
  bool client_reads = true;
  while (true) {
    UpstreamCall::HeadRead read = co_await call_.read_head();
    if (read.failure && read.closed_unanswered && call_.connection->reused() && repeatable() &&
        !sending_.running()) {
      call_.connection.reset();
      const io::Stream::Parts again{client_.out};
      const UpstreamCall::Result failure = co_await call_.send(again);
      if (failure) {
        co_await fail(*failure);
        co_return;
      }
      go_on(true);
      continue;
    }
    if (read.failure) {
      co_await fail(*read.failure);
      co_return;
    }
    if (!call_.interim()) break;
    if (request_.head().minor_version == 1 && client_reads) {
      client_reads = co_await relay_.run_interim();
      // A client that is gone is found out by the final answer.
      if (!client_reads) exchange_.close_behind();
    }
    call_.drop_interim();
  }
  if (call_.head.status == 101 && sending_.running()) {
    co_await fail(gate::Unknown{false, "The upstream switched protocols within the request."});
    co_return;
  }
  if (upload_ != Upload::done) {
    exchange_.close_behind();
    call_.spoiled = true;
  }
  call_.begin_body();
  if (call_.head.status == 101) {
    co_await switch_protocols();
  } else {
    co_await relay_.run(exchange_.unreserved());
  }
}

Task<void> Passing::switch_protocols() {
  exchange_.close_behind();
  const bool sent = co_await relay_.run_switch();
  exchange_.note_upstream(call_.record(101));
  std::uint64_t tunnelled = 0;
  if (sent) {
    request_.keep_head();
    Tunnel tunnel(client_, *call_.connection, exchange_.options().upstream.idle_timeout);
    co_await tunnel.run();
    tunnelled = tunnel.bytes_to_client();
  }
  exchange_.note_upstream(call_.record(101));
  exchange_.finish(exchange_.unreserved(), 101, relay_.bytes() + tunnelled);
}

Task<void> Passing::fail(const UpstreamCall::Failure& failure) {
  // The deadline that cut the client short is noted before the upload is awaited.
  if (sending_.running()) {
    exchange_.close_behind();
    co_await end_upload();
    upload_ = Upload::upstream_failed;
  }
  exchange_.note_upstream(call_.record(0));
  if (upload_ == Upload::malformed) {
    co_await exchange_.refuse({400, "chunked", "The body is not well-formed chunked coding."});
    co_return;
  }
  if (upload_ == Upload::client_slow) {
    co_await exchange_.refuse({408, "body-timeout", "The body did not arrive in time."});
    co_return;
  }
  if (upload_ == Upload::client_failed) {
    exchange_.close_behind();
    exchange_.client_left();
    exchange_.finish(exchange_.unreserved(), client_closed, 0, "The client left within its body.");
    co_return;
  }
  if (request_.head().framing.kind != Framing::Kind::none && upload_ != Upload::done) {
    exchange_.close_behind();
  }
  if (const auto* not_sent = std::get_if<gate::NotSent>(&failure)) {
    co_await exchange_.fail(*not_sent);
  } else {
    co_await exchange_.fail(std::get<gate::Unknown>(failure));
  }
}

}  // namespace onceproxy::http
