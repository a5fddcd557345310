// One connection to the admin server, and what is said on it: a request is read, bounded and
// refused or answered. Private to this folder. It does not know when it is to be closed for
// others' sake (server.cpp) nor what the endpoints show (routes.hpp).
// The server's thread alone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "proxy/admin/routes.hpp"
#include "proxy/admin/transport.hpp"

namespace onceproxy::admin {

inline constexpr std::size_t head_bytes_max = 16 * 1024;

struct Connection {
  Connection(Transport::Socket socket, std::shared_ptr<const tls::ServerContext> context,
             std::size_t body_bytes_max)
      : stream(std::move(socket), std::move(context)), buffer(head_bytes_max + body_bytes_max) {}

  void close() {
    closed = true;
    stream.close();
  }

  Transport stream;
  /// The identity in the client's certificate; empty without one.
  std::string subject;
  boost::beast::flat_buffer buffer;
  /// Between the end of a request and the end of its answer.
  bool busy = false;
  bool closed = false;
};

/// The TLS handshake, where there is one; false where it failed, which has been reported to `tls`.
boost::asio::awaitable<bool> open(Connection& connection, const ServerTls& tls);

/// One request and its answer; false where the connection ends. `stopping` is looked at once the
/// request is read; it and `routes` outlive the call.
boost::asio::awaitable<bool> exchange(Connection& connection, const Routes& routes,
                                      const bool& stopping);

}  // namespace onceproxy::admin
