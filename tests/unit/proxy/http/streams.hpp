// Streams to test with, whose peer is the test.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>
#include <vector>

#include "proxy/io/event_loop.hpp"
#include "proxy/io/socket.hpp"

namespace onceproxy::http::testing {

/// A loop, and sockets on it, with their peers.
struct Sockets {
  io::EventLoop loop{[] {}, [](bool) { return true; }};
  std::vector<int> peers;

  io::Socket connected() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    peers.push_back(ends[1]);
    io::Socket socket(loop.context());
    socket.assign(io::asio::local::stream_protocol(), ends[0]);
    return socket;
  }
  ~Sockets() {
    for (const int peer : peers) ::close(peer);
  }
};

}  // namespace onceproxy::http::testing
