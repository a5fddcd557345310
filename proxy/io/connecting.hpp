// Connecting: makes a connection to the first of several addresses that answers, in their order
// (RFC 8305 5): the next one is tried when one has failed, or when it has not answered for a while,
// and then those before still have their chance.
// Not thread-safe: one event loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "proxy/io/socket.hpp"

namespace onceproxy::io {

class Connecting {
 public:
  /// Told once how it ended, from a handler of the loop. May destroy the Connecting then.
  class Owner {
   public:
    /// `index`: of the address.
    virtual void connected(Socket socket, std::size_t index) = 0;
    /// No address is left to be tried.
    virtual void not_connected() = 0;

   protected:
    ~Owner() = default;
  };

  /// `addresses` must stay. `within`: the time after which the owner gives up; no address waits for
  /// its try until it is over. The owner destroys this for that.
  Connecting(asio::io_context& context, Owner& owner, const std::vector<SocketAddress>& addresses,
             std::chrono::milliseconds within);
  /// Gives up: attempts under way are closed without a report.
  ~Connecting();
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

  /// False: no attempt could begin, and there will be no report.
  bool start();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace onceproxy::io
