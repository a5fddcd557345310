#include "proxy/http/listener.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "proxy/http/worker.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

namespace {

using asio::ip::tcp;

[[noreturn]] void fail(const Endpoint& endpoint, int error) {
  std::string what = "cannot listen on " + endpoint.text();
  if (error == EADDRINUSE) what += " (another process listens there)";
  throw std::system_error(error, std::generic_category(), what);
}

/// A bound descriptor, or throws.
int bind_one(const Endpoint& endpoint, const tcp::endpoint& at, bool share) {
  const int descriptor =
      ::socket(at.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail(endpoint, errno);
  const int on = 1;
  // Without SO_REUSEADDR a restart would wait for the connections of the process before.
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (share) ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (at.protocol() == tcp::v6()) {
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(descriptor, at.data(), static_cast<socklen_t>(at.size())) != 0) {
    const int error = errno;
    ::close(descriptor);
    fail(endpoint, error);
  }
  return descriptor;
}

tcp::endpoint resolve(const Endpoint& endpoint) {
  asio::io_context io;
  tcp::resolver resolver(io);
  Error error;
  const auto found =
      resolver.resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    throw std::system_error(error, "cannot listen on " + endpoint.text());
  }
  return found.begin()->endpoint();
}

tcp::endpoint bound_to(int descriptor, tcp::endpoint like) {
  auto size = static_cast<socklen_t>(like.capacity());
  ::getsockname(descriptor, like.data(), &size);
  return like;
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace

BoundAddress bind_listeners(const Endpoint& endpoint, std::size_t count) {
  tcp::endpoint at = resolve(endpoint);
  if (at.port() != 0) {
    // SO_REUSEPORT would let a second process of the same user share the port unnoticed. A bind
    // without it tells whether anybody is there.
    const int probe = bind_one(endpoint, at, false);
    const bool taken = ::listen(probe, 1) != 0;
    const int error = errno;
    ::close(probe);
    if (taken) fail(endpoint, error);
  }
  BoundAddress bound;
  for (std::size_t i = 0; i < count; ++i) {
    const int descriptor = bind_one(endpoint, at, true);
    at = bound_to(descriptor, at);
    if (::listen(descriptor, SOMAXCONN) != 0) fail(endpoint, errno);
    bound.descriptors.push_back(descriptor);
  }
  bound.text = text_of(at);
  return bound;
}

Listener::Listener(Worker& worker, int descriptor)
    : Deadline(worker.deadlines()),
      worker_(worker),
      acceptor_(worker.io().get_executor()),
      peer_(worker.io().get_executor()) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  acceptor_.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor);
}

void Listener::stop() {
  disarm();
  Error ignored;
  acceptor_.close(ignored);
}

void Listener::accept_next() {
  acceptor_.async_accept(peer_, peer_endpoint_, [this](Error error) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (!error) {
      worker_.accepted(Socket(std::move(peer_)), peer_endpoint_.address().to_string());
      peer_ = TcpSocket(worker_.io().get_executor());
    } else if (error != asio::error::connection_aborted) {
      telemetry::log(telemetry::LogLevel::error, "cannot accept connections",
                     {{"error", error.message()}});
      arm(std::chrono::milliseconds(0));
      return;
    }
    accept_next();
  });
}

}  // namespace onceproxy::http
