#include "proxy/http/client_connection.hpp"

#include "proxy/http/exchange.hpp"
#include "proxy/http/worker.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
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

const ClientLimits& ClientConnection::limits() const {
  return worker.options().limits;
}

ClientConnection::ClientConnection(Worker& home, io::Socket socket, std::string address,
                                   Slots::Taken slot, std::shared_ptr<const tls::ServerContext> tls)
    : io::Stream(home.loop(), std::move(socket), home.options().limits.idle_timeout),
      worker(home),
      client(std::move(address)),
      slot_(std::move(slot)),
      tls_context_(std::move(tls)) {
  worker.metrics().connection(telemetry::Side::client, +1);
}

ClientConnection::~ClientConnection() {
  close();
  worker.metrics().connection(telemetry::Side::client, -1);
}

void ClientConnection::awaited_twice(std::string_view operation) {
  worker.metrics().connection_defect(telemetry::awaited_twice);
  telemetry::log(telemetry::LogLevel::error, "connection closed: a second coroutine awaited it",
                 {{"side", "client"}, {"operation", operation}});
}

void ClientConnection::give_way() {
  gave_way_ = true;
  cancel();
}

void ClientConnection::drain() {
  if (idle_) cancel();
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
    Exchange exchange(*this, began_);
    if (bad) {
      co_await exchange.refuse(*bad);
      go_on = false;
    } else {
      go_on = co_await exchange.run();
    }
  }
  co_await linger();
}

/// The TLS handshake; false: it failed, which was counted and logged.
Task<bool> ClientConnection::shake_hands() {
  const bool asks = tls_context_->asks_for_certificates();
  if (!open()) co_return false;
  speak_tls(std::move(tls_context_));
  tls_context_ = nullptr;
  worker.shaking(*this);
  expire_after(limits().head_timeout);
  idle_ = true;
  const io::IoError error = co_await handshake();
  idle_ = false;
  disarm();
  worker.shaken(*this);
  telemetry::TlsMetrics& metrics = worker.tls_metrics();
  if (error == io::IoError::none) {
    metrics.handshake(telemetry::TlsPort::data, tls()->resumed());
    if (asks) peer = tls::peer_of(tls()->native());
    if (peer) certificate = {peer->uris, peer->hosts, peer->subject, peer->sha256};
    co_return true;
  }
  if (gave_way_) {
    metrics.failed(telemetry::TlsPort::data, client, "crowded",
                   "too many handshakes at once, and this one was the oldest");
  } else if (error == io::IoError::timed_out) {
    metrics.failed(telemetry::TlsPort::data, client, "timeout", "the handshake took too long");
  } else if (!worker.draining()) {
    const tls::Failure& failure = tls()->failure();
    metrics.failed(telemetry::TlsPort::data, client, failure.reason, failure.message);
  }
  co_return false;
}

std::optional<BadHead> ClientConnection::parse() {
  if (bad_head_) {
    head = RequestHead();
    return bad_head_;
  }
  const HeadLimits head_limits{limits().head_bytes, limits().headers};
  auto bad = parse_request_head(buffer.view().substr(0, head_end_), head_limits, head);
  return bad;
}

/// RFC 9112 2.2: an empty line or two before a request is forgiven.
bool ClientConnection::skip_empty_lines() {
  const std::size_t before = buffer.size();
  while (buffer.view().starts_with("\r\n")) buffer.consume(2);
  return buffer.size() < before;
}

Task<ClientConnection::Next> ClientConnection::read_head() {
  bad_head_.reset();
  std::size_t searched = 0;
  bool waiting = false;
  skip_empty_lines();
  if (buffer.empty()) {
    if (worker.draining()) co_return Next::end;
    buffer.shrink();
    // What one large answer took must not stay with every idle connection.
    if (out.capacity() > io::Buffer::kept_bytes) std::string().swap(out);
    expire_after(served_any_ ? limits().idle_timeout : limits().head_timeout);
    idle_ = true;
    const io::IoError error = co_await fill(limits().head_bytes);
    idle_ = false;
    if (error != io::IoError::none) co_return Next::end;
    skip_empty_lines();
  }
  began_ = steady_clock::now();
  served_any_ = true;
  while (true) {
    head_end_ = find_head_end(buffer.view(), searched);
    if (head_end_ > 0) break;
    searched = buffer.size();
    if (!waiting) expire_after(limits().head_timeout);
    waiting = true;
    const io::IoError error = co_await fill(limits().head_bytes);
    if (error == io::IoError::none) {
      if (skip_empty_lines()) searched = 0;
      continue;
    }
    if (error == io::IoError::no_room) {
      bad_head_ = oversized_head(buffer.view());
    } else if (error == io::IoError::timed_out && !buffer.empty()) {
      bad_head_ = BadHead{408, "head-timeout", "The head did not come in time."};
    } else {
      co_return Next::end;
    }
    break;
  }
  disarm();
  if (head_end_ > limits().head_bytes) bad_head_ = oversized_head(buffer.view());
  co_return Next::request;
}

Task<void> ClientConnection::linger() {
  if (!open()) co_return;
  shutdown_send();
  expire_after(linger_time);
  std::size_t discarded = 0;
  while (discarded < linger_bytes) {
    buffer.consume(buffer.size());
    const io::IoError error = co_await fill(io::Buffer::initial_bytes);
    if (error != io::IoError::none) co_return;
    discarded += buffer.size();
  }
}

}  // namespace onceproxy::http
