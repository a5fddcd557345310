#include "proxy/http/upstream_address.hpp"

#include <netdb.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

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

std::string text_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_UNIX) {
    return std::string("unix:") + reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
  }
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.size, host,
                sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  return Endpoint{host, static_cast<std::uint16_t>(std::strtoul(port, nullptr, 10)), ""}.text();
}

}  // namespace

std::string Endpoint::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void UpstreamAddress::move(const Endpoint& endpoint) {
  {
    const std::lock_guard lock(mutex_);
    if (endpoint == endpoint_) return;
  }
  const std::optional<SocketAddress> known = endpoint.unix_path.empty()
                                                 ? resolve(endpoint, AI_NUMERICHOST)
                                                 : unix_address(endpoint.unix_path);
  {
    const std::lock_guard lock(mutex_);
    endpoint_ = endpoint;
    is_name_ = !known;
    moving_ = !known;
    if (known) {
      address_ = known;
      ++generation_;
    }
  }
  if (known) return;
  look_up();
  if (!thread_.joinable()) thread_ = std::thread([this] { keep_looking(); });
}

UpstreamAddress::~UpstreamAddress() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<UpstreamAddress::Found> UpstreamAddress::get() const {
  const std::lock_guard lock(mutex_);
  if (!address_) return std::nullopt;
  return Found{*address_, generation_};
}

UpstreamAddress::Place UpstreamAddress::place() const {
  const std::lock_guard lock(mutex_);
  return {endpoint_, address_ ? text_of(*address_) : ""};
}

void UpstreamAddress::look_up() {
  Endpoint endpoint;
  {
    const std::lock_guard lock(mutex_);
    if (!is_name_) return;
    endpoint = endpoint_;
  }
  const std::optional<SocketAddress> found = resolve(endpoint, AI_ADDRCONFIG);
  if (!found) {
    telemetry::log(telemetry::LogLevel::warn, "cannot resolve the upstream's name",
                   {{"upstream", endpoint.text()}});
    return;
  }
  const std::lock_guard lock(mutex_);
  // It may have moved on while the resolver took its time.
  if (endpoint_ != endpoint) return;
  address_ = found;
  if (std::exchange(moving_, false)) ++generation_;
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
