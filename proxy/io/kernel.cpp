#include "proxy/io/kernel.hpp"

#include <poll.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "proxy/io/socket.hpp"

namespace onceproxy::io {

namespace {

constexpr int patience_ms = 100;

bool try_ends() {
  using asio::ip::tcp;
  try {
    asio::io_context context;
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket sender(context);
    sender.connect(acceptor.local_endpoint());
    tcp::socket receiver = acceptor.accept();
    receiver.set_option(TellLeft());
    asio::write(sender, asio::buffer("x", 1));
    sender.shutdown(tcp::socket::shutdown_send);
    pollfd ended{receiver.native_handle(), POLLRDHUP, 0};
    if (::poll(&ended, 1, patience_ms) != 1) return false;
    std::array<char, 8> bytes{};
    ErrorCode error;
    const Received received = receive(receiver.native_handle(), bytes.data(), bytes.size(), error);
    return received.bytes == 1 && received.left == 1;
  } catch (const boost::system::system_error&) {
    return false;
  }
}

}  // namespace

bool tells_ends() {
  static const bool tells = try_ends();
  return tells;
}

}  // namespace onceproxy::io
