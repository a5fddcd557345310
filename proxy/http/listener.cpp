#include "proxy/http/listener.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace onceproxy::http {

namespace {

using io::asio::ip::tcp;

[[noreturn]] void fail(const Endpoint& endpoint, const io::ErrorCode& error) {
  std::string what = "cannot listen on " + endpoint.text();
  if (error == io::asio::error::address_in_use) what += " (another process listens there)";
  throw std::system_error(error.value(), std::generic_category(), what);
}

/// A bound socket, or throws.
io::Acceptor bind_one(const Endpoint& endpoint, io::EventLoop& loop, const tcp::endpoint& at,
                      bool share) {
  io::Acceptor acceptor(loop.context());
  io::ErrorCode error;
  acceptor.open(at.protocol(), error);
  if (error) fail(endpoint, error);
  io::ErrorCode ignored;
  // Without it a restart would wait for the connections of the process before.
  acceptor.set_option(io::Acceptor::reuse_address(true), ignored);
  if (share) acceptor.set_option(io::ReusePort(), ignored);
  if (at.protocol() == tcp::v6()) acceptor.set_option(io::asio::ip::v6_only(true), ignored);
  acceptor.bind(at, error);
  if (error) fail(endpoint, error);
  return acceptor;
}

tcp::endpoint resolve(const Endpoint& endpoint) {
  io::asio::io_context context;
  tcp::resolver resolver(context);
  io::ErrorCode error;
  const auto found =
      resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    throw std::runtime_error("cannot listen on " + endpoint.text() + ": " + error.message());
  }
  return found.begin()->endpoint();
}

std::string host_of(const io::asio::ip::address& address) {
  if (!address.is_v6()) return address.to_string();
  const io::asio::ip::address_v6 v6 = address.to_v6();
  // An IPv4 client of a dual-stack socket is known by its IPv4 address.
  if (v6.is_v4_mapped())
    return io::asio::ip::make_address_v4(io::asio::ip::v4_mapped, v6).to_string();
  // Without the number of the interface, which means something on this machine alone.
  return io::asio::ip::address_v6(v6.to_bytes()).to_string();
}

}  // namespace

BoundAddress bind_listeners(const Endpoint& endpoint, const std::vector<io::EventLoop*>& loops) {
  tcp::endpoint at = resolve(endpoint);
  io::ErrorCode error;
  if (endpoint.port != 0) {
    // SO_REUSEPORT would let a second process of the same user share the port unnoticed. A bind
    // without it tells whether anybody is there.
    io::Acceptor probe = bind_one(endpoint, *loops.front(), at, false);
    probe.listen(1, error);
    if (error) fail(endpoint, error);
  }
  BoundAddress bound;
  for (io::EventLoop* const loop : loops) {
    io::Acceptor acceptor = bind_one(endpoint, *loop, at, true);
    at = acceptor.local_endpoint(error);
    if (!error) acceptor.listen(io::Acceptor::max_listen_connections, error);
    if (error) fail(endpoint, error);
    bound.acceptors.push_back(std::move(acceptor));
  }
  bound.text = Endpoint{host_of(at.address()), at.port(), ""}.text();
  return bound;
}

Listener::Listener(Owner& owner, io::EventLoop& loop, io::Acceptor acceptor,
                   std::shared_ptr<const tls::ServerPort> tls)
    : io::Deadline(loop.deadlines()),
      owner_(owner),
      loop_(loop),
      acceptor_(std::move(acceptor)),
      tls_(std::move(tls)) {}

void Listener::stop() {
  disarm();
  io::ErrorCode ignored;
  acceptor_.close(ignored);
}

void Listener::accept_next() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept(
      loop_.context(), peer_,
      [this](io::ErrorCode error, io::asio::basic_stream_socket<tcp, io::Executor> socket) {
        loop_.woke();
        if (!acceptor_.is_open()) return;
        if (!error) {
          owner_.accepted(std::move(socket), host_of(peer_.address()), peer_.port(), tls_.get());
        } else if (error != io::asio::error::connection_aborted) {
          owner_.not_accepted(error);
          arm(std::chrono::milliseconds(0));
          return;
        }
        accept_next();
      });
}

}  // namespace onceproxy::http
