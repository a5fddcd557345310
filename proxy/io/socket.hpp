// The data port's sockets: Asio's, TCP and unix alike, with a concrete executor (one whose type is
// erased costs on every operation), and the options that Asio has no names for.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>

namespace onceproxy::io {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, Executor>;
/// An address to connect to.
using SocketAddress = asio::generic::stream_protocol::endpoint;

/// Whether a call on a socket that does not block must be repeated, at once or later.
inline bool would_block(const ErrorCode& error) {
  return error == asio::error::would_block || error == asio::error::interrupted;
}

/// A socket option that is switched on; what set_option() takes.
template <int option_level, int option_name>
class SwitchOn {
 public:
  template <typename Protocol>
  int level(const Protocol&) const {
    return option_level;
  }
  template <typename Protocol>
  int name(const Protocol&) const {
    return option_name;
  }
  template <typename Protocol>
  const int* data(const Protocol&) const {
    return &on_;
  }
  template <typename Protocol>
  std::size_t size(const Protocol&) const {
    return sizeof on_;
  }

 private:
  int on_ = 1;
};

using ReusePort = SwitchOn<SOL_SOCKET, SO_REUSEPORT>;
/// Sends the acknowledgement that is due now, and not with the next data or 40 ms later. It holds
/// for a while only (tcp(7)).
using AcknowledgeNow = SwitchOn<IPPROTO_TCP, TCP_QUICKACK>;
/// Each recvmsg() tells how many bytes are left (TCP_CM_INQ); an end counts as one.
using TellLeft = SwitchOn<IPPROTO_TCP, TCP_INQ>;

struct Received {
  std::size_t bytes = 0;
  /// What is left to be read; -1: the socket does not tell.
  int left = -1;
};
/// As much as there is and fits, from a socket with TellLeft. Does not wait if the socket does not.
Received receive(int socket, char* to, std::size_t size, ErrorCode& error);

}  // namespace onceproxy::io
