// One connection to the admin server: reads a request within limits, and refuses or answers it.
// Private to this folder. It does not decide when to close for the sake of other connections
// (server.cpp), and does not know the endpoints (routes.hpp). Used only on the server's thread.
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
  /// true between the end of a request and the end of its answer.
  bool busy = false;
  bool closed = false;
};

/// Makes the TLS handshake, if the port uses TLS. Returns false if it failed, which has been
/// reported to `tls`.
boost::asio::awaitable<bool> open(Connection& connection, const ServerTls& tls);

/// Handles one request and its answer. Returns false if the connection ends. `stopping` is read
/// after the request; it and `routes` must outlive the call.
boost::asio::awaitable<bool> exchange(Connection& connection, const Routes& routes,
                                      const bool& stopping);

}  // namespace onceproxy::admin
