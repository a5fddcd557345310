#include "proxy/io/connecting.hpp"

#include <algorithm>
#include <boost/asio/basic_waitable_timer.hpp>
#include <utility>

namespace onceproxy::io {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<steady_clock, asio::wait_traits<steady_clock>, Executor>;

/// RFC 8305 5 and 8: 250 ms between two attempts, and never less than 10 ms.
constexpr milliseconds attempt_delay{250};
constexpr milliseconds attempt_delay_min{10};

/// Asio takes a full queue of a unix socket for a connection that is under way, and then for one
/// that was made.
bool really_connected(const Socket& socket) {
  ErrorCode error;
  [[maybe_unused]] const SocketAddress peer = socket.remote_endpoint(error);
  return !error;
}

}  // namespace

struct Connecting::State : std::enable_shared_from_this<State> {
  State(asio::io_context& its_context, Owner& its_owner, const std::vector<SocketAddress>& to,
        milliseconds within)
      : context(its_context),
        owner(&its_owner),
        addresses(to),
        delay(std::clamp(within / static_cast<int>(std::max<std::size_t>(to.size(), 1)),
                         attempt_delay_min, attempt_delay)),
        timer(its_context.get_executor()) {
    attempts.reserve(addresses.size());
  }

  /// Begins the next attempt that can begin. False: none is under way any more.
  bool go_on() {
    while (attempts.size() < addresses.size()) {
      if (begin()) return true;
    }
    return under_way > 0;
  }

  bool begin() {
    const std::size_t index = attempts.size();
    Socket& socket = attempts.emplace_back(context.get_executor());
    ErrorCode error;
    socket.open(addresses[index].protocol(), error);
    if (error) return false;
    ++under_way;
    socket.async_connect(addresses[index], [self = shared_from_this(), index](ErrorCode failure) {
      self->ended(index, failure);
    });
    if (index + 1 == addresses.size()) return true;
    timer.expires_after(delay);
    timer.async_wait([self = shared_from_this()](ErrorCode cancelled) {
      if (!cancelled && self->owner != nullptr) self->go_on();
    });
    return true;
  }

  void ended(std::size_t index, ErrorCode failure) {
    if (owner == nullptr) return;
    --under_way;
    if (!failure && really_connected(attempts[index])) {
      Socket socket = std::move(attempts[index]);
      Owner& told = *owner;
      give_up();
      told.connected(std::move(socket), index);
      return;
    }
    ErrorCode ignored;
    attempts[index].close(ignored);
    // The address that failed may not be the last one begun: the next one need not wait then.
    if (!go_on()) std::exchange(owner, nullptr)->not_connected();
  }

  void give_up() {
    owner = nullptr;
    timer.cancel();
    ErrorCode ignored;
    for (Socket& socket : attempts) socket.close(ignored);
  }

  asio::io_context& context;
  Owner* owner;
  const std::vector<SocketAddress>& addresses;
  const milliseconds delay;
  Timer timer;
  /// One for each address that was tried.
  std::vector<Socket> attempts;
  std::size_t under_way = 0;
};

Connecting::Connecting(asio::io_context& context, Owner& owner,
                       const std::vector<SocketAddress>& addresses, milliseconds within)
    : state_(std::make_shared<State>(context, owner, addresses, within)) {}

Connecting::~Connecting() {
  state_->give_up();
}

bool Connecting::start() {
  return state_->go_on();
}

}  // namespace onceproxy::io
