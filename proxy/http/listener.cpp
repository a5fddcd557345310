#include "proxy/http/listener.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "proxy/http/stream.hpp"
#include "proxy/http/worker.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

namespace {

/// Accepted in a row before other events get their turn.
constexpr int accept_max = 64;

[[noreturn]] void fail(const Endpoint& endpoint, int error) {
  std::string what = "cannot listen on " + endpoint.text();
  if (error == EADDRINUSE) what += " (another process listens there)";
  throw std::system_error(error, std::generic_category(), what);
}

/// A bound descriptor, or throws.
int bind_one(const Endpoint& endpoint, const SocketAddress& at, bool share) {
  const int descriptor =
      ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail(endpoint, errno);
  const int on = 1;
  // Without SO_REUSEADDR a restart would wait for the connections of the process before.
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (share) ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (at.storage.ss_family == AF_INET6) {
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&at.storage), at.size) != 0) {
    const int error = errno;
    ::close(descriptor);
    fail(endpoint, error);
  }
  return descriptor;
}

SocketAddress resolve(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const int error = ::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error("cannot listen on " + endpoint.text() + ": " + ::gai_strerror(error));
  }
  SocketAddress out;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return out;
}

SocketAddress bound_to(int descriptor) {
  SocketAddress out;
  out.size = sizeof out.storage;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&out.storage), &out.size);
  return out;
}

std::uint16_t port_of(const SocketAddress& address) {
  // sin_port and sin6_port lie at the same place (RFC 3493 3.3).
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

std::string host_of(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    // An IPv4 client of a dual-stack socket is known by its IPv4 address.
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      ::inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    }
  } else {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

BoundAddress bind_listeners(const Endpoint& endpoint, std::size_t count) {
  SocketAddress at = resolve(endpoint);
  if (endpoint.port != 0) {
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
    at = bound_to(descriptor);
    if (::listen(descriptor, SOMAXCONN) != 0) fail(endpoint, errno);
    bound.descriptors.push_back(descriptor);
  }
  bound.text = Endpoint{host_of(at), port_of(at), ""}.text();
  return bound;
}

Listener::Listener(Worker& worker, int descriptor)
    : Deadline(worker.loop().deadlines()), worker_(worker), descriptor_(descriptor) {}

Listener::~Listener() {
  stop();
}

void Listener::start() {
  if (!worker_.loop().add(descriptor_, *this)) {
    telemetry::log(telemetry::LogLevel::error, "cannot watch a listening socket");
  }
}

void Listener::stop() {
  if (descriptor_ < 0) return;
  disarm();
  worker_.loop().remove(*this);
  ::close(std::exchange(descriptor_, -1));
}

void Listener::accept_some() {
  for (int i = 0; i < accept_max && descriptor_ >= 0; ++i) {
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    const int accepted = ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&peer.storage),
                                   &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      worker_.accepted(accepted, host_of(peer));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (errno == ECONNABORTED || errno == EINTR) continue;
    telemetry::log(telemetry::LogLevel::error, "cannot accept connections",
                   {{"error", std::strerror(errno)}});
    arm(std::chrono::milliseconds(0));
    return;
  }
  // Edge-triggered: whoever still waits in the queue makes no further event.
  if (descriptor_ >= 0) worker_.loop().defer(*this);
}

}  // namespace onceproxy::http
