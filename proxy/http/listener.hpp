// Listener: accepts connections on one worker. Each worker has its own socket on the same address
// (SO_REUSEPORT), so that the kernel spreads connections and workers share no queue.
// bind_listeners() may be called from the main thread; a Listener belongs to its worker's loop.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "proxy/http/deadline.hpp"
#include "proxy/http/options.hpp"
#include "proxy/http/stream.hpp"

namespace onceproxy::http {

class Worker;

/// Descriptors bound to one address, one a worker, and the address as it turned out (port 0).
struct BoundAddress {
  std::string text;
  std::vector<int> descriptors;
};

/// Throws std::system_error with a message that names the address: in use (by whomever: a second
/// onceproxy must not share this one's traffic unnoticed), not ours, not allowed.
BoundAddress bind_listeners(const Endpoint& endpoint, std::size_t count);

class Listener final : private Deadline {
 public:
  /// Owns `descriptor`, which listens.
  Listener(Worker& worker, int descriptor);

  void start() { accept_next(); }
  void stop();

 private:
  void accept_next();
  /// Out of descriptors or memory: tried again a tick later instead of spinning.
  void expired() override { accept_next(); }

  Worker& worker_;
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
  using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  TcpSocket peer_;
  asio::ip::tcp::endpoint peer_endpoint_;
};

}  // namespace onceproxy::http
