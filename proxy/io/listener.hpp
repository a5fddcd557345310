// Listener: accepts connections on one loop. For TCP each loop has its own socket on the same
// address (SO_REUSEPORT), so that the kernel spreads connections and loops share no queue; a unix
// socket is one, and all loops take from it.
// bind_listeners() is called before the loops run; a Listener belongs to its loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/io/deadline.hpp"
#include "proxy/io/endpoint.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::io {

/// Sockets that listen on one address, one for each loop, and the address as it turned out (port
/// 0).
struct BoundAddress {
  std::string text;
  std::vector<Acceptor> acceptors;
};

/// Throws std::system_error with a message that names the address: in use (by whomever: a second
/// onceproxy must not share this one's traffic unnoticed), not ours, not allowed. A unix socket
/// that a process left behind is replaced; the file stays when this process ends.
BoundAddress bind_listeners(const Endpoint& endpoint, const std::vector<EventLoop*>& loops);

/// What a client is known by that came through a unix socket, in place of its address.
inline constexpr const char* unix_client = "unix";

class Listener final : private Deadline {
 public:
  /// Takes what a listener accepts, on the loop's thread.
  class Owner {
   public:
    /// `client`: the peer's address, or unix_client, and its `port`, or 0. `tls`: what the
    /// connection begins with; nullptr: no TLS.
    virtual void accepted(Socket socket, std::string client, std::uint16_t port,
                          const tls::ServerPort* tls) = 0;
    /// The kernel gave no connection, and may give some later.
    virtual void not_accepted(const ErrorCode& error) = 0;

   protected:
    ~Owner() = default;
  };

  /// `tls`: connections begin with a handshake; nullptr: they do not. Owner and loop must outlive
  /// the listener.
  Listener(Owner& owner, EventLoop& loop, Acceptor acceptor,
           std::shared_ptr<const tls::ServerPort> tls);

  void start() { accept_next(); }
  void stop();

 private:
  void accept_next();
  /// Out of descriptors or memory: tried again a tick later instead of spinning.
  void expired() override { accept_next(); }

  Owner& owner_;
  EventLoop& loop_;
  Acceptor acceptor_;
  const std::shared_ptr<const tls::ServerPort> tls_;
  SocketAddress peer_;
};

}  // namespace onceproxy::io
