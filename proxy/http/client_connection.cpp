#include "proxy/http/client_connection.hpp"

#include "proxy/tls/peer.hpp"
#include "proxy/tls/session.hpp"

namespace onceproxy::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long, and how many bytes, a client may go on sending behind a refusal. Closing at once
/// would reset the connection and take the answer with it (RFC 9112 9.6).
constexpr milliseconds linger_time{2'000};
constexpr std::size_t linger_bytes = 256 * 1024;

}  // namespace

ClientConnection::ClientConnection(const Parts& parts, io::Socket socket, std::string address,
                                   io::Slots::Taken slot,
                                   std::shared_ptr<const tls::ServerContext> tls)
    : parts_(parts),
      slot_(std::move(slot)),
      client_(parts.loop, std::move(socket), std::move(address), limits().idle_timeout,
              parts.metrics),
      tls_context_(std::move(tls)) {}

void ClientConnection::drain() {
  client_.end_soon();
  // Not cancelled: a request that has arrived but was not read yet is answered.
  if (idle_) client_.expire_after(milliseconds(0));
}

Task<void> ClientConnection::serve() {
  bool go_on = true;
  if (tls_context_) {
    const bool secured = co_await shake_hands();
    if (!secured) co_return;
  }
  while (go_on) {
    const Next next = co_await read_head();
    if (next == Next::end) co_return;
    const std::optional<BadHead> bad = parse();
    Exchange exchange = parts_.dispatcher.begin(client_, memory_, began_);
    if (bad) {
      co_await exchange.refuse(*bad);
      go_on = false;
    } else {
      co_await parts_.dispatcher.dispatch(client_, exchange);
      go_on = exchange.connection_goes_on();
    }
  }
  co_await linger();
}

/// The TLS handshake; false: it failed, which was counted and logged.
Task<bool> ClientConnection::shake_hands() {
  const bool asks = tls_context_->asks_for_certificates();
  if (!client_.open()) co_return false;
  client_.speak_tls(std::move(tls_context_));
  tls_context_ = nullptr;
  const Handshakes::Place place(parts_.handshakes, client_);
  client_.expire_after(limits().head_timeout);
  idle_ = true;
  const io::IoError error = co_await client_.handshake();
  idle_ = false;
  client_.disarm();
  count_handshake(error, place.lost());
  if (error != io::IoError::none) co_return false;
  if (asks) client_.identify(tls::peer_of(client_.tls()->native()));
  co_return true;
}

void ClientConnection::count_handshake(io::IoError error, bool crowded) {
  using telemetry::TlsPort;
  telemetry::TlsMetrics& metrics = parts_.tls_metrics;
  if (error == io::IoError::none) {
    metrics.handshake(TlsPort::data, client_.tls()->resumed());
  } else if (crowded) {
    metrics.failed(TlsPort::data, client_.address(), "crowded",
                   "too many handshakes at once, and this one was the oldest");
  } else if (client_.ends_soon()) {
    // A drain ended it.
  } else if (error == io::IoError::timed_out) {
    metrics.failed(TlsPort::data, client_.address(), "timeout", "the handshake took too long");
  } else {
    const tls::Failure& failure = client_.tls()->failure();
    metrics.failed(TlsPort::data, client_.address(), failure.reason, failure.message);
  }
}

std::optional<BadHead> ClientConnection::parse() {
  if (bad_head_) {
    memory_.head = RequestHead();
    return bad_head_;
  }
  const HeadLimits head_limits{limits().head_bytes, limits().headers};
  auto bad =
      parse_request_head(client_.buffer.view().substr(0, head_end_), head_limits, memory_.head);
  return bad;
}

/// RFC 9112 2.2: an empty line or two before a request is forgiven.
bool ClientConnection::skip_empty_lines() {
  const std::size_t before = client_.buffer.size();
  while (client_.buffer.view().starts_with("\r\n")) client_.buffer.consume(2);
  return client_.buffer.size() < before;
}

Task<ClientConnection::Next> ClientConnection::read_head() {
  bad_head_.reset();
  std::size_t searched = 0;
  bool waiting = false;
  skip_empty_lines();
  if (client_.buffer.empty()) {
    if (client_.ends_soon()) co_return Next::end;
    client_.buffer.shrink();
    // What one large answer took must not stay with every idle connection.
    if (client_.out.capacity() > io::Buffer::kept_bytes) std::string().swap(client_.out);
    client_.expire_after(served_any_ ? limits().idle_timeout : limits().head_timeout);
    idle_ = true;
    const io::IoError error = co_await client_.fill(limits().head_bytes);
    idle_ = false;
    if (error != io::IoError::none) co_return Next::end;
    skip_empty_lines();
  }
  began_ = steady_clock::now();
  served_any_ = true;
  while (true) {
    head_end_ = find_head_end(client_.buffer.view(), searched);
    if (head_end_ > 0) break;
    searched = client_.buffer.size();
    if (!waiting) client_.expire_after(limits().head_timeout);
    waiting = true;
    const io::IoError error = co_await client_.fill(limits().head_bytes);
    if (error == io::IoError::none) {
      if (skip_empty_lines()) searched = 0;
      continue;
    }
    if (error == io::IoError::no_room) {
      bad_head_ = oversized_head(client_.buffer.view());
    } else if (error == io::IoError::timed_out && !client_.buffer.empty()) {
      bad_head_ = BadHead{408, "head-timeout", "The head did not arrive in time."};
    } else {
      co_return Next::end;
    }
    break;
  }
  client_.disarm();
  if (head_end_ > limits().head_bytes) bad_head_ = oversized_head(client_.buffer.view());
  co_return Next::request;
}

Task<void> ClientConnection::linger() {
  if (!client_.open()) co_return;
  client_.shutdown_send();
  client_.expire_after(linger_time);
  std::size_t discarded = 0;
  while (discarded < linger_bytes) {
    client_.buffer.consume(client_.buffer.size());
    const io::IoError error = co_await client_.fill(io::Buffer::initial_bytes);
    if (error != io::IoError::none) co_return;
    discarded += client_.buffer.size();
  }
}

}  // namespace onceproxy::http
