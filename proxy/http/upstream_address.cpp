#include "proxy/http/upstream_address.hpp"

#include <signal.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
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

/// The context belongs to the resolver, which is used by one thread.
NameLookups::Resolve system_resolver() {
  return [context = std::make_shared<io::asio::io_context>(1)](const Endpoint& endpoint,
                                                               io::ErrorCode& error) {
    tcp::resolver resolver(*context);
    std::vector<io::SocketAddress> resolved;
    for (const auto& result : resolver.resolve(
             endpoint.host, std::to_string(endpoint.port),
             tcp::resolver::address_configured | tcp::resolver::numeric_service, error)) {
      resolved.emplace_back(result.endpoint());
    }
    return resolved;
  };
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
                                 Tls tls, Lookups lookups)
    : wait_(lookups.wait) {
  state_->lookup_failed = std::move(lookup_failed);
  state_->resolve = std::move(lookups.resolve);
  move(endpoint, std::move(tls));
}

UpstreamAddress::~UpstreamAddress() {
  if (!thread_.joinable()) return;
  bool in_resolver = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    in_resolver = state_->in_resolver;
  }
  state_->changed.notify_all();
  // The resolver cannot be interrupted. The thread touches only its own state afterwards.
  if (in_resolver) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void UpstreamAddress::move(const Endpoint& endpoint, Tls tls) {
  State& state = *state_;
  {
    const std::lock_guard lock(state.mutex);
    if (endpoint == state.endpoint) {
      if (tls == state.tls) return;
      state.tls = std::move(tls);
      // While the endpoint is still to be found, what serves is the one before, with its own TLS.
      if (state.found && !state.moving) state.put(state.found->addresses, state.tls, true);
      return;
    }
  }
  const std::optional<io::SocketAddress> known = known_address(endpoint);
  if (!known) start();
  std::unique_lock lock(state.mutex);
  state.endpoint = endpoint;
  state.tls = std::move(tls);
  state.is_name = !known;
  state.moving = !known;
  if (known) {
    state.put({*known}, state.tls, true);
    return;
  }
  const std::uint64_t asked = ++state.asked;
  state.changed.notify_all();
  state.changed.wait_for(lock, wait_, [&] { return state.answered >= asked; });
}

void UpstreamAddress::start() {
  if (thread_.joinable()) return;
  if (!state_->resolve) state_->resolve = system_resolver();
  // Signals are for the main thread.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([state = state_] { state->look_up_repeatedly(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// With the lock held. `moved`: they are those of another endpoint, or their TLS is another.
void UpstreamAddress::State::put(std::vector<io::SocketAddress> addresses, const Tls& wanted_tls,
                                 bool moved) {
  // A resolver that turns the order round with each answer changes nothing for connections.
  const bool same = !moved && found && std::ranges::is_permutation(found->addresses, addresses);
  const std::uint64_t number = same ? found->generation : generation + 1;
  found = std::make_shared<const Found>(Found{std::move(addresses), number, wanted_tls});
  generation = number;
}

std::shared_ptr<const UpstreamAddress::Found> UpstreamAddress::get() const {
  const std::lock_guard lock(state_->mutex);
  return state_->found;
}

bool UpstreamAddress::has(const io::SocketAddress& address, const Tls& tls) const {
  const std::shared_ptr<const Found> found = get();
  return found && found->tls == tls &&
         std::ranges::find(found->addresses, address) != found->addresses.end();
}

void UpstreamAddress::prefer(const io::SocketAddress& address) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->found) return;
  std::vector<io::SocketAddress> addresses = state_->found->addresses;
  const auto place = std::ranges::find(addresses, address);
  if (place == addresses.end()) return;
  std::rotate(addresses.begin(), place, place + 1);
  const Tls tls = state_->found->tls;
  state_->put(std::move(addresses), tls, false);
}

UpstreamAddress::Place UpstreamAddress::place() const {
  const std::lock_guard lock(state_->mutex);
  Place place{state_->endpoint, ""};
  if (!state_->found) return place;
  for (const io::SocketAddress& address : state_->found->addresses) {
    if (!place.found.empty()) place.found += ", ";
    place.found += address_text(address);
  }
  return place;
}

void UpstreamAddress::State::look_up_repeatedly() {
  std::unique_lock lock(mutex);
  while (!stopped) {
    const bool due = asked != answered || std::chrono::steady_clock::now() >= next_lookup;
    if (!is_name || !due) {
      if (is_name) {
        changed.wait_until(lock, next_lookup);
      } else {
        changed.wait(lock);
      }
      continue;
    }
    const Endpoint of = endpoint;
    const std::uint64_t up_to = asked;
    in_resolver = true;
    lock.unlock();
    io::ErrorCode error;
    const std::vector<io::SocketAddress> resolved = resolve(of, error);
    lock.lock();
    in_resolver = false;
    if (stopped) return;
    answered = up_to;
    next_lookup = std::chrono::steady_clock::now() + lookup_interval;
    looked_up(of, resolved, error, lock);
    changed.notify_all();
  }
}

/// With the lock held, which is released while it writes to the log.
void UpstreamAddress::State::looked_up(const Endpoint& of,
                                       const std::vector<io::SocketAddress>& resolved,
                                       const io::ErrorCode& error,
                                       std::unique_lock<std::mutex>& lock) {
  if (!error && !resolved.empty()) {
    // It may have moved on while the resolver took its time.
    if (endpoint == of) put(in_order_of_trial(resolved), tls, std::exchange(moving, false));
    return;
  }
  if (lookup_failed) lookup_failed();
  lock.unlock();
  telemetry::log(
      telemetry::LogLevel::warn, "cannot resolve the upstream's name",
      {{"upstream", std::string_view(of.text())}, {"error", std::string_view(error.message())}});
  lock.lock();
}

}  // namespace onceproxy::http
