#include "proxy/http/upstream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

namespace onceproxy::http {

namespace {

using std::chrono::steady_clock;
using SocketAddress = asio::generic::stream_protocol::endpoint;
using asio::ip::tcp;

/// A connection unused for longer is looked at once more before a request is written to it.
constexpr std::chrono::milliseconds surely_open{500};

/// Room for what an idle connection must not receive.
constexpr std::size_t watch_bytes = Buffer::initial_bytes;

std::optional<SocketAddress> fixed_endpoint(const http::Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) {
    return SocketAddress(asio::local::stream_protocol::endpoint(endpoint.unix_path));
  }
  Error error;
  const auto address = asio::ip::make_address(endpoint.host, error);
  if (error) return std::nullopt;
  return SocketAddress(tcp::endpoint(address, endpoint.port));
}

/// True when the peer has neither closed nor sent anything.
bool quiet(Socket& socket) {
  char byte;
  const ssize_t got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct ConnectAwaiter {
  Socket& socket;
  const SocketAddress& endpoint;
  Error error;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    socket.async_connect(endpoint, [this, waiter](Error result) {
      error = result;
      waiter.resume();
    });
  }
  Error await_resume() const noexcept { return error; }
};

template <typename Resolver>
struct ResolveAwaiter {
  Resolver& resolver;
  const http::Endpoint& endpoint;
  Error error;
  std::optional<SocketAddress> found;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    resolver.async_resolve(endpoint.host, std::to_string(endpoint.port),
                           [this, waiter](Error result, const tcp::resolver::results_type& all) {
                             error = result;
                             if (!result && !all.empty()) found = SocketAddress(all.begin()->endpoint());
                             waiter.resume();
                           });
  }
  Error await_resume() const noexcept { return error; }
};

}  // namespace

std::string http::Endpoint::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

/// Awaits a slot, or a connection that this worker is done with, no longer than a time.
class UpstreamPool::Wait final : public Deadline, public Slots::Waiter {
 public:
  Wait(UpstreamPool& pool, Slots& slots) : Deadline(pool.deadlines_), pool_(pool), slots_(slots) {
    loop = &pool.loop_;
    resume = [](store::CallBase& call) { static_cast<Wait&>(call).end(true); };
  }

  /// Handed over instead of a slot.
  Lease connection;

  bool await_ready() { return granted_ = slots_.try_take(); }
  bool await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    arm(pool_.options_.connect_timeout);
    granted_ = slots_.wait(*this);
    if (granted_) disarm();
    return !granted_;
  }
  /// True: a slot was taken.
  bool await_resume() const noexcept { return granted_; }

  /// True: this wait ends with `lease`.
  bool hand_over(Lease& lease) {
    if (!slots_.give_up(*this)) return false;
    connection = std::move(lease);
    disarm();
    end_later();
    return true;
  }

 private:
  void expired() override {
    if (slots_.give_up(*this)) end_later();
  }
  void end_later() {
    asio::post(pool_.io_, [this] { end(false); });
  }
  void end(bool granted) {
    disarm();
    granted_ = granted;
    waiter_.resume();
  }

  UpstreamPool& pool_;
  Slots& slots_;
  std::coroutine_handle<> waiter_;
  bool granted_ = false;
};

UpstreamConnection::UpstreamConnection(UpstreamPool& pool, Deadlines& deadlines, Socket socket,
                                       std::chrono::milliseconds stall)
    : Stream(deadlines, std::move(socket), stall), pool_(pool) {
  pool_.metrics_.connection(telemetry::Side::upstream, +1);
}

UpstreamConnection::~UpstreamConnection() {
  close();
  pool_.connections_.release();
  pool_.metrics_.connection(telemetry::Side::upstream, -1);
}

void UpstreamConnection::idle_read_ended() {
  // While it is lent, the answer may begin before anybody awaits it.
  if (!lent_) pool_.drop(*this);
}

UpstreamPool::UpstreamPool(asio::io_context& io, Deadlines& deadlines, store::Loop& loop,
                           const UpstreamOptions& options, Slots& connections, Slots& turns,
                           telemetry::WorkerMetrics& metrics)
    : io_(io),
      deadlines_(deadlines),
      loop_(loop),
      options_(options),
      connections_(connections),
      turns_(turns),
      metrics_(metrics),
      resolver_(io.get_executor()),
      fixed_endpoint_(fixed_endpoint(options.endpoint)) {}

UpstreamPool::~UpstreamPool() = default;

Lease UpstreamPool::take_idle() {
  while (!idle_.empty()) {
    Lease connection = std::move(idle_.back());
    idle_.pop_back();
    connection->disarm();
    connection->lent_ = true;
    const bool fresh = steady_clock::now() - connection->idle_since_ < surely_open;
    if (connection->reading() && (fresh || quiet(connection->socket()))) return connection;
    discard(std::move(connection));
  }
  return nullptr;
}

Task<UpstreamPool::Acquired> UpstreamPool::acquire() {
  using Reason = gate::NotSent::Reason;
  Acquired acquired;
  acquired.connection = take_idle();
  if (acquired.connection) co_return acquired;

  Wait wait(*this, connections_);
  waits_.push_back(&wait);
  const bool granted = co_await wait;
  waits_.erase(std::ranges::find(waits_, &wait));
  if (wait.connection) {
    acquired.connection = std::move(wait.connection);
    co_return acquired;
  }
  if (!granted) {
    acquired.error = {Reason::busy, "No upstream connection became free in time."};
    co_return acquired;
  }
  acquired.connection = std::make_unique<UpstreamConnection>(
      *this, deadlines_, Socket(io_.get_executor()), options_.idle_timeout);
  acquired.connection->expire_after(options_.connect_timeout);
  const Error error = co_await connect(*acquired.connection);
  acquired.connection->disarm();
  if (error) {
    acquired.connection.reset();
    acquired.error = error == asio::error::timed_out
                         ? gate::NotSent{Reason::timeout, "Connecting to the upstream timed out."}
                         : gate::NotSent{Reason::unreachable, "The upstream refuses connections."};
  }
  co_return acquired;
}

Task<Error> UpstreamPool::connect(UpstreamConnection& connection) {
  SocketAddress endpoint;
  if (fixed_endpoint_) {
    endpoint = *fixed_endpoint_;
  } else {
    ResolveAwaiter<decltype(resolver_)> resolve{resolver_, options_.endpoint, {}, {}};
    const Error error = co_await resolve;
    if (error) co_return error;
    endpoint = *resolve.found;
  }
  ConnectAwaiter connecting{connection.socket(), endpoint, {}};
  const Error error = co_await connecting;
  if (error) co_return connection.cause(error);
  prepare_socket(connection.socket());
  co_return Error();
}

void UpstreamPool::give_back(Lease connection) {
  // A read may have ended between the answer and now: the peer closed, or sent too much.
  if (!connection->reading()) connection->watch(watch_bytes);
  if (!connection->reading() || !connection->buffer.empty()) {
    discard(std::move(connection));
    return;
  }
  connection->reused = true;
  for (Wait* wait : waits_) {
    if (wait->hand_over(connection)) return;
  }
  if (connections_.anybody_waits()) {
    discard(std::move(connection));
    return;
  }
  connection->lent_ = false;
  connection->idle_since_ = steady_clock::now();
  connection->expire_after(options_.idle_timeout);
  idle_.push_back(std::move(connection));
}

void UpstreamPool::discard(Lease connection) {
  if (!connection->reading()) return;
  connection->lent_ = false;
  connection->close();
  closing_.push_back(std::move(connection));
}

void UpstreamPool::drop(UpstreamConnection& connection) {
  const auto is = [&](const Lease& lease) { return lease.get() == &connection; };
  if (std::erase_if(idle_, is) == 0) std::erase_if(closing_, is);
}

Task<std::optional<UpstreamPool::Turn>> UpstreamPool::turn() {
  std::optional<Turn> turn;
  Wait wait(*this, turns_);
  const bool granted = co_await wait;
  if (granted) turn.emplace(&turns_);
  co_return turn;
}

void UpstreamPool::reclaim() {
  if (idle_.empty() || !connections_.anybody_waits()) return;
  Lease oldest = std::move(idle_.front());
  idle_.erase(idle_.begin());
  discard(std::move(oldest));
}

void UpstreamPool::close_idle() {
  while (!idle_.empty()) {
    Lease connection = std::move(idle_.back());
    idle_.pop_back();
    discard(std::move(connection));
  }
}

}  // namespace onceproxy::http
