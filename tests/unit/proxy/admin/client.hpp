// A client that sends bytes as they are given and reads until the server is done.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace onceproxy::admin {

class Client {
 public:
  /// As Server::address() tells it.
  explicit Client(const std::string& address) {
    if (address.starts_with("unix:")) {
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      std::strncpy(to.sun_path, address.c_str() + 5, sizeof to.sun_path - 1);
      connect_to(AF_UNIX, reinterpret_cast<sockaddr*>(&to), sizeof to);
    } else {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      const std::size_t colon = address.rfind(':');
      to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
      connect_to(AF_INET, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// The server closed the connection, as opposed to saying nothing for long.
  bool hung_up() const { return hung_up_; }

  bool connected() const { return connected_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// One answer with its body, by its Content-Length; without one when `head_only`.
  std::string answer(bool head_only = false) {
    while (true) {
      const std::size_t head_end = received_.find("\r\n\r\n");
      if (head_end != std::string::npos) {
        std::size_t size = head_end + 4;
        const std::size_t length = received_.find("Content-Length: ");
        if (!head_only && length < head_end) size += std::stoul(received_.substr(length + 16));
        if (received_.size() >= size) {
          std::string whole = received_.substr(0, size);
          received_.erase(0, size);
          return whole;
        }
      }
      if (!receive()) return {};
    }
  }

  /// Everything up to the server's hanging up.
  std::string rest() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }

  std::string exchange_one(std::string_view request) {
    send(request);
    return answer();
  }

 private:
  void connect_to(int family, const sockaddr* to, socklen_t size) {
    socket_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(socket_ >= 0);
    // A server that never answers fails the test instead of hanging it.
    const timeval patience{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = connect(socket_, to, size) == 0;
  }

  bool receive() {
    char buffer[65536];
    const ssize_t size = recv(socket_, buffer, sizeof buffer, 0);
    hung_up_ = size == 0 || (size < 0 && errno == ECONNRESET);
    if (size <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  int socket_ = -1;
  bool connected_ = false;
  bool hung_up_ = false;
  std::string received_;
};

/// A whole request on a connection of its own.
inline std::string fetch(const std::string& address, const std::string& method,
                         const std::string& target, const std::string& more_head = "",
                         const std::string& content = "") {
  Client client(address);
  client.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more_head +
              "\r\n" + content);
  return client.rest();
}

inline int status(const std::string& answer) {
  return answer.starts_with("HTTP/1.") ? std::stoi(answer.substr(9, 3)) : 0;
}

inline std::string body(const std::string& answer) {
  const std::size_t head_end = answer.find("\r\n\r\n");
  return head_end == std::string::npos ? "" : answer.substr(head_end + 4);
}

}  // namespace onceproxy::admin
