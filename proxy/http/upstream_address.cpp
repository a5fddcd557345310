#include "proxy/http/upstream_address.hpp"

#include <netdb.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

namespace {

/// As often as HAProxy's default "hold valid" and more often than most records live.
constexpr std::chrono::seconds lookup_interval{10};

SocketAddress unix_address(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) {
    throw std::invalid_argument("upstream.address: the unix socket's path is too long: " + path);
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  SocketAddress out;
  std::memcpy(&out.storage, &address, sizeof address);
  out.size = sizeof address;
  return out;
}

std::optional<SocketAddress> resolve(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  if (::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found) != 0) return std::nullopt;
  SocketAddress out;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return out;
}

}  // namespace

std::string Endpoint::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

UpstreamAddress::UpstreamAddress(const Endpoint& endpoint) : endpoint_(endpoint) {
  if (!endpoint.unix_path.empty()) {
    address_ = unix_address(endpoint.unix_path);
    return;
  }
  address_ = resolve(endpoint, AI_NUMERICHOST);
  if (address_) return;
  look_up();
  thread_ = std::thread([this] { keep_looking(); });
}

UpstreamAddress::~UpstreamAddress() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<SocketAddress> UpstreamAddress::get() const {
  const std::lock_guard lock(mutex_);
  return address_;
}

void UpstreamAddress::look_up() {
  const std::optional<SocketAddress> found = resolve(endpoint_, AI_ADDRCONFIG);
  if (!found) {
    telemetry::log(telemetry::LogLevel::warn, "cannot resolve the upstream's name",
                   {{"upstream", endpoint_.text()}});
    return;
  }
  const std::lock_guard lock(mutex_);
  address_ = found;
}

void UpstreamAddress::keep_looking() {
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, lookup_interval, [this] { return stopped_; })) {
    lock.unlock();
    look_up();
    lock.lock();
  }
}

}  // namespace onceproxy::http
