// Streams over TCP: what comes together with an end or a reset, which the kernel tells once.
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <utility>

#include "proxy/io/kernel.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::io {
namespace {

using asio::ip::tcp;

struct Plain final : Stream {
  using Stream::Stream;
  ~Plain() { close(); }
  void heard_unasked() override {}
};

/// A stream whose peer is the test, on a loop that runs until nothing happens.
struct Fixture {
  EventLoop loop{[] {},
                 [this](bool quiet) {
                   if (quiet) loop.stop();
                   return true;
                 }};
  asio::io_context context;
  tcp::socket peer{context};
  std::optional<Plain> stream;

  Fixture() {
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    peer.connect(acceptor.local_endpoint());
    Socket socket(loop.context());
    socket.assign(tcp::v4(), acceptor.accept().release());
    stream.emplace(loop, std::move(socket), std::chrono::minutes(1));
  }

  void send() { asio::write(peer, asio::buffer("x", 1)); }
  void end() { peer.shutdown(tcp::socket::shutdown_send); }
  void reset() {
    peer.set_option(tcp::socket::linger(true, 0));
    peer.close();
  }
};

Task<void> read(Stream& stream, std::optional<IoError>& ended) {
  stream.buffer.consume(stream.buffer.size());
  const IoError error = co_await stream.fill(1024);
  ended = error;
}

/// How the next read ends; nothing: it waits.
std::optional<IoError> next_read(Fixture& fixture) {
  std::optional<IoError> ended;
  start(read(*fixture.stream, ended));
  fixture.loop.run();
  fixture.stream->cancel();
  fixture.loop.run();
  return ended;
}

}  // namespace

TEST_CASE("this kernel tells of an end of the stream with the bytes before it") {
  CHECK(tells_ends());
}

TEST_CASE("an end that came together with bytes is read behind them") {
  Fixture fixture;
  fixture.send();
  fixture.end();
  CHECK(next_read(fixture) == IoError::none);
  CHECK(next_read(fixture) == IoError::eof);
}

TEST_CASE("a reset that came together with bytes is read behind them") {
  Fixture fixture;
  fixture.send();
  fixture.reset();
  CHECK(next_read(fixture) == IoError::none);
  CHECK(next_read(fixture) == IoError::broken);
}

TEST_CASE("a reset that came while nobody read is not taken for an end") {
  Fixture fixture;
  fixture.send();
  REQUIRE(next_read(fixture) == IoError::none);
  fixture.reset();
  fixture.loop.run();
  CHECK(next_read(fixture) == IoError::broken);
}

TEST_CASE("a reset of which a look has told is not taken for an end") {
  Fixture fixture;
  fixture.reset();
  CHECK_FALSE(fixture.stream->quiet(true));
  CHECK(next_read(fixture) == IoError::broken);
}

}  // namespace onceproxy::io
