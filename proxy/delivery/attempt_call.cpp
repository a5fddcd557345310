#include "proxy/delivery/attempt_call.hpp"

#include <exception>
#include <utility>

#include "proxy/io/loop_timer.hpp"

namespace onceproxy::delivery {

namespace {

using State = http::BodyReader::State;

/// How long after its last byte a request counts as received by a listener that still reads.
constexpr std::chrono::milliseconds on_its_way_max{1'000};

}  // namespace

io::Task<void> AttemptCall::run(io::Stream::Parts parts, std::function<void()> sent) {
  sent_ = std::move(sent);
  const io::LoopTimer timeout(loop_, terms_.timeout, [this] {
    timed_out_ = true;
    call_.cut();
  });
  std::exception_ptr error;
  try {
    co_await ask(parts);
  } catch (...) {
    error = std::current_exception();
  }
  if (sending_.running()) {
    call_.connection->close();
    co_await sending_.ended();
  }
  on_its_way_.reset();
  if (error) std::rethrow_exception(error);
}

io::Task<void> AttemptCall::ask(io::Stream::Parts parts) {
  const http::UpstreamCall::Result failure = co_await call_.send(parts);
  if (failure) {
    note(*failure);
    co_return;
  }
  if (call_.unsent()) {
    sending_.begin(send_rest());
  } else {
    call_.await_response();
    on_its_way_.emplace(loop_, on_its_way_max, [this] { sent_(); });
  }
  const bool answered = co_await read_final_head();
  if (!answered) co_return;
  sent_();
  co_await read_body();
}

io::Task<void> AttemptCall::send_rest() {
  const io::IoError error = co_await call_.send_rest();
  if (error == io::IoError::timed_out) {
    call_.give_up();
  } else {
    call_.await_response();
  }
}

io::Task<bool> AttemptCall::read_final_head() {
  while (true) {
    const http::UpstreamCall::HeadRead read = co_await call_.read_head();
    if (read.failure) {
      fail(read.failure->detail);
      co_return false;
    }
    if (!call_.interim()) co_return true;
    call_.drop_interim();
  }
}

io::Task<void> AttemptCall::read_body() {
  call_.begin_body();
  std::size_t bytes = 0;
  while (true) {
    const http::BodyReader::Piece piece = co_await call_.read_body();
    if (piece.state == State::malformed) {
      fail(call_.body_error);
      co_return;
    }
    if (piece.state == State::end) break;
    bytes += piece.data.size();
    body_ += piece.data.substr(0, terms_.body_bytes_kept - body_.size());
    // The rest of the body would not change the result.
    if (bytes > terms_.body_bytes_max) {
      call_.keep_head();
      status_ = call_.head.status;
      co_return;
    }
  }
  body_whole_ = body_.size() == bytes;
  call_.keep_head();
  status_ = call_.head.status;
  call_.finish();
}

void AttemptCall::note(const http::UpstreamCall::Failure& failure) {
  if (const auto* unknown = std::get_if<gate::Unknown>(&failure)) {
    fail(unknown->detail);
    return;
  }
  using Reason = gate::NotSent::Reason;
  not_sent_ = true;
  if (!call_.tls_failure.empty()) {
    error_ = "no TLS: " + call_.tls_failure;
    return;
  }
  switch (std::get<gate::NotSent>(failure).reason) {
    case Reason::unreachable:
      error_ = "no connection";
      break;
    case Reason::timeout:
      error_ = "no connection in time";
      break;
    case Reason::busy:
      busy_ = !timed_out_;
      error_ = timed_out_ ? "no connection in time" : "no connection was free";
      break;
  }
}

void AttemptCall::fail(std::string_view error) {
  error_ = timed_out_ || call_.timed_out
               ? "no whole answer within " + std::to_string(terms_.timeout.count()) + " ms"
               : std::string(error);
}

}  // namespace onceproxy::delivery
