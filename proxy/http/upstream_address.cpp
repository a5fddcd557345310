#include "proxy/http/upstream_address.hpp"

#include <signal.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

namespace {

using io::asio::ip::tcp;

/// As often as HAProxy's default "hold valid" and more often than most records live.
constexpr std::chrono::seconds lookup_interval{10};

/// More than anybody waits for, and a bound on what a resolver can make of a name.
constexpr std::size_t addresses_max = 16;

io::SocketAddress unix_address(const std::string& path) {
  try {
    return io::asio::local::stream_protocol::endpoint(path);
  } catch (const boost::system::system_error&) {
    throw std::invalid_argument("upstream.address: the unix socket's path is too long: " + path);
  }
}

/// Where no name has to be looked up.
std::optional<io::SocketAddress> known_address(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return unix_address(endpoint.unix_path);
  io::ErrorCode error;
  const auto address = io::asio::ip::make_address(endpoint.host, error);
  if (error) return std::nullopt;
  return tcp::endpoint(address, endpoint.port);
}

}  // namespace

std::string address_text(const io::SocketAddress& address) {
  if (address.protocol().family() == AF_UNIX) {
    io::asio::local::stream_protocol::endpoint local;
    std::memcpy(local.data(), address.data(), address.size());
    local.resize(address.size());
    return "unix:" + local.path();
  }
  tcp::endpoint ip;
  std::memcpy(ip.data(), address.data(), address.size());
  ip.resize(address.size());
  return Endpoint{ip.address().to_string(), ip.port(), ""}.text();
}

std::vector<io::SocketAddress> in_order_of_trial(const std::vector<io::SocketAddress>& resolved) {
  std::vector<io::SocketAddress> first, second;
  for (const io::SocketAddress& address : resolved) {
    const bool leads = address.protocol().family() == resolved.front().protocol().family();
    std::vector<io::SocketAddress>& family = leads ? first : second;
    if (std::ranges::find(family, address) == family.end()) family.push_back(address);
  }
  std::vector<io::SocketAddress> order;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) order.push_back(first[i]);
    if (i < second.size()) order.push_back(second[i]);
  }
  if (order.size() > addresses_max) order.resize(addresses_max);
  return order;
}

UpstreamAddress::UpstreamAddress(const Endpoint& endpoint, std::function<void()> lookup_failed,
                                 Tls tls)
    : lookup_failed_(std::move(lookup_failed)) {
  move(endpoint, std::move(tls));
}

UpstreamAddress::~UpstreamAddress() {
  if (lookups_) lookups_->context.stop();
  if (thread_.joinable()) thread_.join();
}

void UpstreamAddress::move(const Endpoint& endpoint, Tls tls) {
  {
    const std::lock_guard lock(mutex_);
    if (endpoint == endpoint_) {
      if (tls == tls_) return;
      tls_ = std::move(tls);
      // While the endpoint is still to be found, what serves is the one before, with its own TLS.
      if (found_ && !moving_) put(found_->addresses, tls_, true);
      return;
    }
  }
  const std::optional<io::SocketAddress> known = known_address(endpoint);
  {
    const std::lock_guard lock(mutex_);
    endpoint_ = endpoint;
    tls_ = std::move(tls);
    is_name_ = !known;
    moving_ = !known;
    if (known) put({*known}, tls_, true);
  }
  if (known) return;
  if (!lookups_) lookups_ = std::make_unique<Lookups>();
  look_up();
  if (thread_.joinable()) return;
  look_up_later();
  // Signals are for the main thread.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { lookups_->context.run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// With the lock held. `moved`: they are those of another endpoint, or their TLS is another.
void UpstreamAddress::put(std::vector<io::SocketAddress> addresses, const Tls& tls, bool moved) {
  // A resolver that turns the order round with each answer changes nothing for connections.
  const bool same = !moved && found_ && std::ranges::is_permutation(found_->addresses, addresses);
  const std::uint64_t generation = same ? found_->generation : generation_ + 1;
  found_ = std::make_shared<const Found>(Found{std::move(addresses), generation, tls});
  generation_ = generation;
}

std::shared_ptr<const UpstreamAddress::Found> UpstreamAddress::get() const {
  const std::lock_guard lock(mutex_);
  return found_;
}

bool UpstreamAddress::has(const io::SocketAddress& address, const Tls& tls) const {
  const std::lock_guard lock(mutex_);
  return found_ && found_->tls == tls &&
         std::ranges::find(found_->addresses, address) != found_->addresses.end();
}

void UpstreamAddress::prefer(const io::SocketAddress& address) {
  const std::lock_guard lock(mutex_);
  if (!found_) return;
  std::vector<io::SocketAddress> addresses = found_->addresses;
  const auto place = std::ranges::find(addresses, address);
  if (place == addresses.end()) return;
  std::rotate(addresses.begin(), place, place + 1);
  const Tls tls = found_->tls;
  put(std::move(addresses), tls, false);
}

UpstreamAddress::Place UpstreamAddress::place() const {
  const std::lock_guard lock(mutex_);
  Place place{endpoint_, ""};
  if (!found_) return place;
  for (const io::SocketAddress& address : found_->addresses) {
    if (!place.found.empty()) place.found += ", ";
    place.found += address_text(address);
  }
  return place;
}

void UpstreamAddress::look_up() {
  Endpoint endpoint;
  {
    const std::lock_guard lock(mutex_);
    if (!is_name_) return;
    endpoint = endpoint_;
  }
  tcp::resolver resolver(lookups_->context);
  io::ErrorCode error;
  const auto results =
      resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                       tcp::resolver::address_configured | tcp::resolver::numeric_service, error);
  if (error || results.empty()) {
    telemetry::log(telemetry::LogLevel::warn, "cannot resolve the upstream's name",
                   {{"upstream", std::string_view(endpoint.text())},
                    {"error", std::string_view(error.message())}});
    if (lookup_failed_) lookup_failed_();
    return;
  }
  std::vector<io::SocketAddress> resolved;
  for (const auto& result : results) resolved.emplace_back(result.endpoint());
  const std::lock_guard lock(mutex_);
  // It may have moved on while the resolver took its time.
  if (endpoint_ == endpoint) {
    put(in_order_of_trial(resolved), tls_, std::exchange(moving_, false));
  }
}

void UpstreamAddress::look_up_later() {
  lookups_->next.expires_after(lookup_interval);
  lookups_->next.async_wait([this](const io::ErrorCode& error) {
    if (error) return;
    look_up();
    look_up_later();
  });
}

}  // namespace onceproxy::http
