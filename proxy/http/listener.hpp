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
  /// Takes what a listener accepts, on the loop's thread.
  class Owner {
   public:
    /// `client`: the peer's address, and its `port`. `tls`: what the connection begins with;
    /// nullptr: no TLS.
    virtual void accepted(io::Socket socket, std::string client, std::uint16_t port,
                          const tls::ServerPort* tls) = 0;
    /// The kernel gave no connection, and may give some later.
    virtual void not_accepted(const io::ErrorCode& error) = 0;

   protected:
    ~Owner() = default;
  };

  /// `tls`: connections begin with a handshake; nullptr: they do not. Owner and loop must outlive
  /// the listener.
  Listener(Owner& owner, io::EventLoop& loop, io::Acceptor acceptor,
           std::shared_ptr<const tls::ServerPort> tls);

  void start() { accept_next(); }
  void stop();

 private:
  void accept_next();
  /// Out of descriptors or memory: tried again a tick later instead of spinning.
  void expired() override { accept_next(); }

  Owner& owner_;
  io::EventLoop& loop_;
  io::Acceptor acceptor_;
  const std::shared_ptr<const tls::ServerPort> tls_;
  io::asio::ip::tcp::endpoint peer_;
};

}  // namespace onceproxy::http
