// Listener: accepts connections on one worker. Each worker has its own socket on the same address
// (SO_REUSEPORT), so that the kernel spreads connections and workers share no queue.
// bind_listeners() is called before the loops run; a Listener belongs to its worker's loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "proxy/http/options.hpp"
#include "proxy/io/deadline.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http {

class Worker;

/// Sockets that listen on one address, one for each loop, and the address as it turned out (port
/// 0).
struct BoundAddress {
  std::string text;
  std::vector<io::Acceptor> acceptors;
};

/// Throws std::system_error with a message that names the address: in use (by whomever: a second
/// onceproxy must not share this one's traffic unnoticed), not ours, not allowed.
BoundAddress bind_listeners(const Endpoint& endpoint, const std::vector<io::EventLoop*>& loops);

class Listener final : private io::Deadline {
 public:
  /// `tls`: connections begin with a handshake; nullptr: they do not.
  Listener(Worker& worker, io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls);

  void start() { accept_next(); }
  void stop();

 private:
  void accept_next();
  /// Out of descriptors or memory: tried again a tick later instead of spinning.
  void expired() override { accept_next(); }

  Worker& worker_;
  io::Acceptor acceptor_;
  const std::shared_ptr<const tls::ServerPort> tls_;
  io::asio::ip::tcp::endpoint peer_;
};

}  // namespace onceproxy::http
