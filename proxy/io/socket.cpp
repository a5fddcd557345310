#include "proxy/io/socket.hpp"

#include <sys/uio.h>

#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

namespace onceproxy::io {

Received receive(int socket, char* to, std::size_t size, ErrorCode& error) {
  iovec bytes{to, size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control;
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket, &message, 0);
  if (got < 0) {
    error.assign(errno, boost::system::system_category());
    return {};
  }
  if (got == 0) error = asio::error::eof;
  Received received{static_cast<std::size_t>(got)};
  const cmsghdr* const told = CMSG_FIRSTHDR(&message);
  if (told != nullptr && told->cmsg_level == IPPROTO_TCP && told->cmsg_type == TCP_CM_INQ) {
    std::memcpy(&received.left, CMSG_DATA(told), sizeof received.left);
  }
  return received;
}

}  // namespace onceproxy::io
