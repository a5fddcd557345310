// A listener on a port of its own, whose answers a test chooses.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::delivery::testing {

inline constexpr const char* ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
inline constexpr const char* unavailable =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
inline constexpr const char* busy_for_long =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";

class TestListener {
 public:
  /// What is said to a request with that body; empty: the connection ends.
  using Answers = std::function<std::string(const std::string& body)>;

  explicit TestListener(Answers answers = [](const std::string&) { return ok; })
      : answers_(std::move(answers)), listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listening_, 128) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept(); });
  }
  ~TestListener() {
    ::shutdown(listening_, SHUT_RDWR);
    accepting_.join();
    ::close(listening_);
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& thread : serving_) thread.join();
    for (const int socket : sockets_) ::close(socket);
  }

  std::uint16_t port = 0;

  std::vector<std::string> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  /// False: they did not come.
  bool wait_for(std::size_t count) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30),
                             [&] { return bodies_.size() >= count; });
  }
  /// The most requests that were under way at once.
  std::size_t at_once() const { return at_once_; }

 private:
  void accept() {
    while (true) {
      const int socket = ::accept(listening_, nullptr, nullptr);
      if (socket < 0) return;
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      serving_.emplace_back([this, socket] { serve(socket); });
    }
  }
  void serve(int socket) {
    std::string buffer;
    char piece[4096];
    while (true) {
      const ssize_t got = ::read(socket, piece, sizeof piece);
      if (got <= 0) return;
      buffer.append(piece, static_cast<std::size_t>(got));
      while (const std::size_t end = http::find_head_end(buffer)) {
        http::RequestHead head;
        if (http::parse_request_head(std::string_view(buffer).substr(0, end), {}, head)) return;
        const std::size_t size = end + head.framing.length;
        if (buffer.size() < size) break;
        const std::string body = buffer.substr(end, size - end);
        buffer.erase(0, size);
        if (!answer(socket, body)) return;
      }
    }
  }
  bool answer(int socket, const std::string& body) {
    const std::size_t now = ++under_way_;
    std::size_t most = at_once_;
    while (now > most && !at_once_.compare_exchange_weak(most, now)) continue;
    {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(body);
    }
    changed_.notify_all();
    const std::string said = answers_(body);
    --under_way_;
    if (said.empty()) {
      ::shutdown(socket, SHUT_RDWR);
      return false;
    }
    return ::send(socket, said.data(), said.size(), MSG_NOSIGNAL) > 0;
  }

  const Answers answers_;
  const int listening_;
  std::thread accepting_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<int> sockets_;
  std::vector<std::thread> serving_;
  std::vector<std::string> bodies_;
  std::atomic<std::size_t> under_way_ = 0;
  std::atomic<std::size_t> at_once_ = 0;
};

}  // namespace onceproxy::delivery::testing
