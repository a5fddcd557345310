#include "proxy/io/listener.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace onceproxy::io {

namespace {

using asio::ip::tcp;
using local = asio::local::stream_protocol;

[[noreturn]] void fail(const Endpoint& endpoint, const ErrorCode& error) {
  std::string what = "cannot listen on " + endpoint.text();
  if (error == asio::error::address_in_use) what += " (another process listens there)";
  throw std::system_error(error.value(), std::generic_category(), what);
}

/// A bound socket, or throws.
Acceptor bind_one(const Endpoint& endpoint, EventLoop& loop, const tcp::endpoint& at, bool share) {
  Acceptor acceptor(loop.context());
  ErrorCode error;
  acceptor.open(at.protocol(), error);
  if (error) fail(endpoint, error);
  ErrorCode ignored;
  // Without it a restart would wait for the connections of the process before.
  acceptor.set_option(Acceptor::reuse_address(true), ignored);
  if (share) acceptor.set_option(ReusePort(), ignored);
  if (at.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(true), ignored);
  acceptor.bind(at, error);
  if (error) fail(endpoint, error);
  return acceptor;
}

tcp::endpoint resolve(const Endpoint& endpoint) {
  asio::io_context context;
  tcp::resolver resolver(context);
  ErrorCode error;
  const auto found =
      resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    throw std::runtime_error("cannot listen on " + endpoint.text() + ": " + error.message());
  }
  return found.begin()->endpoint();
}

tcp::endpoint ip_of(const SocketAddress& address) {
  tcp::endpoint ip;
  std::memcpy(ip.data(), address.data(), std::min(address.size(), ip.capacity()));
  ip.resize(std::min(address.size(), ip.capacity()));
  return ip;
}

std::string host_of(const asio::ip::address& address) {
  if (!address.is_v6()) return address.to_string();
  const asio::ip::address_v6 v6 = address.to_v6();
  // An IPv4 client of a dual-stack socket is known by its IPv4 address.
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
  // Without the number of the interface, which means something on this machine alone.
  return asio::ip::address_v6(v6.to_bytes()).to_string();
}

std::string host_of(const SocketAddress& address) {
  const int family = address.data()->sa_family;
  if (family != AF_INET && family != AF_INET6) return unix_client;
  return host_of(ip_of(address).address());
}

std::uint16_t port_of(const SocketAddress& address) {
  const int family = address.data()->sa_family;
  return family == AF_INET || family == AF_INET6 ? ip_of(address).port() : std::uint16_t{0};
}

/// Removes a socket on which no process listens any more. If a process does, or the file is not a
/// socket, binding reports the error.
void remove_stale(const Endpoint& endpoint, const local::endpoint& at) {
  struct stat found {};
  if (::lstat(endpoint.unix_path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  asio::io_context context;
  local::socket probe(context);
  ErrorCode error;
  probe.connect(at, error);
  if (error == asio::error::connection_refused) ::unlink(endpoint.unix_path.c_str());
}

BoundAddress bind_unix(const Endpoint& endpoint, const std::vector<EventLoop*>& loops) {
  local::endpoint at;
  if (endpoint.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
    fail(endpoint, ErrorCode(ENAMETOOLONG, boost::system::system_category()));
  }
  at.path(endpoint.unix_path);
  remove_stale(endpoint, at);
  BoundAddress bound;
  bound.text = endpoint.text();
  Acceptor first(loops.front()->context());
  ErrorCode error;
  first.open(local(), error);
  if (!error) first.bind(at, error);
  if (!error) first.listen(Acceptor::max_listen_connections, error);
  if (error) fail(endpoint, error);
  const int descriptor = first.native_handle();
  bound.acceptors.push_back(std::move(first));
  for (std::size_t i = 1; i < loops.size(); ++i) {
    // Descriptors of the one socket: the loop that is awake takes the next connection.
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) fail(endpoint, ErrorCode(errno, boost::system::system_category()));
    bound.acceptors.emplace_back(loops[i]->context(), local(), copy);
  }
  return bound;
}

}  // namespace

BoundAddress bind_listeners(const Endpoint& endpoint, const std::vector<EventLoop*>& loops) {
  if (!endpoint.unix_path.empty()) return bind_unix(endpoint, loops);
  tcp::endpoint at = resolve(endpoint);
  ErrorCode error;
  if (endpoint.port != 0) {
    // SO_REUSEPORT would let a second process of the same user share the port unnoticed. A bind
    // without it tells whether anybody is there.
    Acceptor probe = bind_one(endpoint, *loops.front(), at, false);
    probe.listen(1, error);
    if (error) fail(endpoint, error);
  }
  BoundAddress bound;
  for (EventLoop* const loop : loops) {
    Acceptor acceptor = bind_one(endpoint, *loop, at, true);
    at = ip_of(acceptor.local_endpoint(error));
    if (!error) acceptor.listen(Acceptor::max_listen_connections, error);
    if (error) fail(endpoint, error);
    bound.acceptors.push_back(std::move(acceptor));
  }
  bound.text = Endpoint{host_of(at.address()), at.port(), ""}.text();
  return bound;
}

Listener::Listener(Owner& owner, EventLoop& loop, Acceptor acceptor,
                   std::shared_ptr<const tls::ServerPort> tls)
    : Deadline(loop.deadlines()),
      owner_(owner),
      loop_(loop),
      acceptor_(std::move(acceptor)),
      tls_(std::move(tls)) {}

void Listener::stop() {
  disarm();
  ErrorCode ignored;
  acceptor_.close(ignored);
}

void Listener::accept_next() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept(loop_.context(), peer_, [this](ErrorCode error, Socket socket) {
    loop_.woke();
    if (!acceptor_.is_open()) return;
    if (!error) {
      owner_.accepted(std::move(socket), host_of(peer_), port_of(peer_), tls_.get());
    } else if (error != asio::error::connection_aborted) {
      owner_.not_accepted(error);
      arm(std::chrono::milliseconds(0));
      return;
    }
    accept_next();
  });
}

}  // namespace onceproxy::io
