#include "proxy/http/answer_relay.hpp"

#include "proxy/http/head_writer.hpp"

namespace onceproxy::http {

namespace {

using Kind = Framing::Kind;
using State = BodyReader::State;
using gate::Decision;

/// Encoded chunks are collected up to this before they are written.
constexpr std::size_t write_bytes = 64 * 1024;

/// About what a head grows by, so that it is seldom moved while it is written.
constexpr std::size_t fields_added_bytes = 192;

}  // namespace

BodyFraming AnswerRelay::choose_framing() {
  const Kind kind = call_.head.framing.kind;
  if (kind == Kind::none || kind == Kind::length) return BodyFraming::as_it_came;
  if (exchange_.request().head().minor_version == 0) {
    exchange_.close_behind();
    return BodyFraming::until_close;
  }
  return kind == Kind::chunked ? BodyFraming::as_it_came : BodyFraming::chunked;
}

void AnswerRelay::write_head(Decision decision, BodyFraming framing, std::size_t body_bytes) {
  std::optional<DecisionFields> fields;
  if (exchange_.policy() != nullptr) fields = exchange_.decision_fields(decision, call_.duration());
  pending_.clear();
  pending_.reserve(call_.head.size + fields_added_bytes);
  write_response_head(call_.head, exchange_.client_side(), framing, body_bytes, fields, pending_);
  exchange_.answer_head_is(pending_);
}

Task<void> AnswerRelay::run(Decision decision) {
  return stream(decision, {});
}

Task<void> AnswerRelay::run_captured(Decision decision, std::string captured) {
  return stream(decision, std::move(captured));
}

Task<void> AnswerRelay::stream(Decision decision, std::string captured) {
  const BodyFraming framing = choose_framing();
  const bool encode = framing == BodyFraming::chunked || (framing == BodyFraming::as_it_came &&
                                                          call_.head.framing.kind == Kind::chunked);
  const int status = call_.head.status;
  write_head(decision, framing, 0);
  bool whole = true;
  if (!captured.empty()) {
    if (encode) {
      write_chunk(captured, pending_);
      captured.clear();
    }
    whole = co_await flush(captured);
    // The rest may take long.
    std::string().swap(captured);
    std::string().swap(pending_);
  }
  if (whole) whole = co_await relay_body(encode);
  if (!whole && !begun_) {
    co_await refuse_answer();
    co_return;
  }
  exchange_.note_upstream(call_.record(status));
  if (!whole) {
    exchange_.close_behind();
    // Without a length or chunks only a reset tells the client that this was not the end.
    if (framing == BodyFraming::until_close) client_.reset();
  }
  exchange_.finish(decision, status, bytes_, error_);
}

/// The answer is malformed, and the client knows nothing of it yet.
Task<void> AnswerRelay::refuse_answer() {
  exchange_.note_upstream(call_.record(0));
  // What is still being sent of the request lies where the client's answer is written next.
  if (call_.spoiled) call_.connection->close();
  return exchange_.fail(gate::Unknown{call_.timed_out, call_.body_error});
}

Task<void> AnswerRelay::run_whole(Decision decision, std::string_view body) {
  // HEAD, 204 and 304 keep what they said about a body that is not there.
  const bool bodiless = call_.head.framing.kind == Kind::none && body.empty();
  write_head(decision, bodiless ? BodyFraming::as_it_came : BodyFraming::length, body.size());
  const int status = call_.head.status;
  const bool sent = co_await flush(body);
  if (!sent) exchange_.close_behind();
  exchange_.finish(decision, status, bytes_, error_);
}

Task<bool> AnswerRelay::run_interim() {
  pending_.clear();
  write_interim_head(call_.head, pending_);
  const bool sent = co_await flush({});
  begun_ = false;
  co_return sent;
}

Task<bool> AnswerRelay::run_switch() {
  pending_.clear();
  write_switch_head(call_.head, exchange_.request().id(), pending_);
  exchange_.answer_head_is(pending_);
  return flush({});
}

Task<bool> AnswerRelay::relay_body(bool encode) {
  io::Piped piped(pipes_);
  const bool splices = !encode && client_.splices() && call_.connection->splices();
  while (true) {
    BodyReader::Piece piece = call_.take_body();
    if (piece.state == State::need_more) {
      const bool sent = co_await flush({});
      if (!sent) co_return false;
      if (splices) {
        piece = co_await call_.read_body(piped);
      } else {
        piece = co_await call_.read_body();
      }
    }
    if (piece.state == State::malformed) {
      error_ = call_.body_error;
      co_return false;
    }
    if (piece.state == State::end) {
      if (encode) pending_ += last_chunk;
      // Kept before the answer is written: a client that retries at once finds it.
      call_.finish();
      const bool sent = co_await flush({});
      co_return sent;
    }
    if (encode) {
      write_chunk(piece.data, pending_);
      if (pending_.size() < write_bytes) continue;
      piece.data = {};
    }
    if (splices && piped.empty()) call_.take_piped(piped);
    const bool sent = co_await flush(piece.data, &piped);
    if (!sent) co_return false;
  }
}

/// Writes what is pending, `data` behind it, and then what is piped.
Task<bool> AnswerRelay::flush(std::string_view data, io::Piped* piped) {
  const bool spliced = piped != nullptr && !piped->empty();
  if (pending_.empty() && data.empty() && !spliced) co_return true;
  const io::Stream::Parts parts{pending_, data};
  begun_ = true;
  io::IoResult written;
  if (spliced) {
    written = co_await client_.write(parts, *piped);
  } else {
    written = co_await client_.write(parts);
  }
  pending_.clear();
  bytes_ += written.bytes;
  if (written.error != io::IoError::none) {
    error_ = "The client left before it was answered.";
    exchange_.client_left();
  }
  co_return written.error == io::IoError::none;
}

}  // namespace onceproxy::http
