// One connection to the admin server, and what is said on it: a request is read, bounded and
// refused or answered. Private to this folder. It does not know when it is to be closed for
// others' sake (server.cpp) nor what the endpoints show (routes.hpp).
// The server's thread alone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <cstddef>
#include <utility>

#include "proxy/admin/routes.hpp"

namespace onceproxy::admin {

inline constexpr std::size_t head_bytes_max = 16 * 1024;
inline constexpr std::size_t body_bytes_max = 64 * 1024;

struct Connection {
  using Socket = boost::asio::generic::stream_protocol::socket;

  explicit Connection(Socket socket) : stream(std::move(socket)) {}

  void close() {
    closed = true;
    stream.close();
  }

  boost::beast::basic_stream<boost::asio::generic::stream_protocol> stream;
  boost::beast::flat_buffer buffer{head_bytes_max + body_bytes_max};
  /// Between the end of a request and the end of its answer.
  bool busy = false;
  bool closed = false;
};

/// One request and its answer; false where the connection ends. `stopping` is looked at once the
/// request is read; it and `routes` outlive the call.
boost::asio::awaitable<bool> exchange(Connection& connection, const Routes& routes,
                                      const bool& stopping);

}  // namespace onceproxy::admin
