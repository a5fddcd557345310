#include "proxy/http/abandoned_call.hpp"

#include <chrono>

namespace onceproxy::http {

namespace {

/// What one read of an answer's body may bring in.
constexpr std::size_t body_buffer_bytes = 64 * 1024;

}  // namespace

/// Uses up heads until the final one. True: the answer is over, or is none.
bool AbandonedCall::take_heads(const HeadLimits& limits) {
  io::Buffer& buffer = rest_.connection->buffer;
  while (!rest_.body) {
    const std::size_t end = find_head_end(buffer.view());
    if (end == 0) return false;
    if (parse_response_head(buffer.view().substr(0, end), limits, rest_.method, head_)) return true;
    buffer.consume(end);
    if (head_.status == 101) return true;
    if (head_.status >= 200) rest_.body.emplace(head_.framing, limits);
  }
  return false;
}

/// Uses up what has come. True: the answer is over, or is none.
bool AbandonedCall::take(const HeadLimits& limits) {
  if (take_heads(limits)) return true;
  while (rest_.body) {
    const BodyReader::Piece piece = rest_.body->take(rest_.connection->buffer);
    if (piece.state == BodyReader::State::need_more) return false;
    if (piece.state != BodyReader::State::data) return true;
  }
  return false;
}

Task<AbandonedCall::End> AbandonedCall::run(const UpstreamOptions& options) {
  const HeadLimits limits{options.head_bytes_max, response_fields_max, options.lenient_http};
  rest_.connection->expire_after(options.abandoned_timeout);
  const auto end = std::chrono::steady_clock::now() + options.abandoned_timeout;
  while (!take(limits)) {
    // The connection's deadline ends a wait, and there is none if more has always come already.
    if (std::chrono::steady_clock::now() > end) co_return End::timed_out;
    const std::size_t bytes_max = rest_.body ? body_buffer_bytes : limits.bytes;
    const io::IoError error = co_await rest_.connection->fill(bytes_max);
    if (error == io::IoError::none) continue;
    if (stopped_) co_return End::stopped;
    if (error == io::IoError::timed_out) co_return End::timed_out;
    // A head that is too large is an answer too, although it could not have been used.
    if (error == io::IoError::no_room) co_return End::answered;
    co_return rest_.body&& rest_.body->whole_at_eof() ? End::answered : End::closed;
  }
  co_return End::answered;
}

void AbandonedCall::stop() {
  stopped_ = true;
  rest_.connection->cancel();
}

}  // namespace onceproxy::http
