// Streams that speak TLS. The peer is a session of the test's.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "../tls/authority.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/io/task.hpp"
#include "proxy/tls/context.hpp"
#include "proxy/tls/session.hpp"

namespace onceproxy::io {
namespace {

using std::chrono::system_clock;
using tls::Session;

std::shared_ptr<const tls::ServerContext> server_context(const tls::testing::Directory& directory,
                                                         const tls::testing::Issued& own,
                                                         tls::TicketKeys& tickets) {
  tls::ServerOptions options;
  options.certificate = directory.write("tls.crt", own.pem());
  options.key = directory.write("tls.key", own.key_pem());
  auto made = tls::ServerContext::make(options, tls::read_credentials(options, system_clock::now()),
                                       tickets, tls::Protocols::http1);
  REQUIRE(made);
  return *std::move(made);
}

std::shared_ptr<const tls::ClientContext> client_context(const tls::testing::Directory& directory,
                                                         const tls::testing::Issued& trusted) {
  tls::ClientOptions options;
  options.ca = directory.write("ca.crt", trusted.pem());
  options.server_name = "localhost";
  auto made =
      tls::ClientContext::make(options, tls::read_credentials(options, system_clock::now()));
  REQUIRE(made);
  return *std::move(made);
}

Task<void> shake_hands(Stream& stream, std::optional<IoError>& ended) {
  const IoError error = co_await stream.handshake();
  ended = error;
}

Task<void> read(Stream& stream, std::optional<IoError>& ended) {
  stream.buffer.consume(stream.buffer.size());
  const IoError error = co_await stream.fill(1024);
  ended = error;
}

/// A stream that is a TLS client.
struct Fixture {
  tls::testing::Directory directory;
  tls::testing::Issued own = tls::testing::Issued::make({.names = "DNS:localhost"});
  tls::TicketKeys tickets;
  std::deque<std::function<void()>> steps;
  EventLoop loop{[] {},
                 [this](bool quiet) {
                   if (quiet) next_step();
                   return true;
                 }};
  int end = -1;
  std::optional<Stream> stream;
  std::optional<Session> peer;
  std::optional<IoError> shaken;

  Fixture() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    end = ends[1];
    Socket socket(loop.context());
    socket.assign(asio::local::stream_protocol(), ends[0]);
    stream.emplace(loop, std::move(socket), std::chrono::minutes(1));
    peer.emplace(server_context(directory, own, tickets), end);
    stream->speak_tls(client_context(directory, own));
    start(shake_hands(*stream, shaken));
  }
  ~Fixture() {
    stream->close();
    ::close(end);
  }

  /// Once: after the handshake.
  void run(std::deque<std::function<void()>> made) {
    steps = std::move(made);
    steps.push_front([this] { REQUIRE(shaken == IoError::none); });
    for (int i = 0; i < 3; ++i) steps.push_front([this] { peer->handshake(); });
    loop.run();
    REQUIRE(steps.empty());
  }
  void next_step() {
    if (steps.empty()) return loop.stop();
    const auto step = std::move(steps.front());
    steps.pop_front();
    step();
  }
  void peer_sends(std::string_view bytes) {
    std::vector<std::string_view> parts{bytes};
    std::size_t taken = 0;
    REQUIRE(peer->write(parts, taken) == Session::Result::done);
  }
};

}  // namespace

TEST_CASE("what a look at a TLS stream has taken out of the socket is read") {
  Fixture fixture;
  std::optional<IoError> first;
  std::optional<IoError> second;
  fixture.run({[&] { start(read(*fixture.stream, first)); }, [&] { fixture.peer_sends("a"); },
               [&] {
                 REQUIRE(first == IoError::none);
                 // The loop has not heard of this yet, as when the peer answers during a write.
                 fixture.peer_sends("b");
                 CHECK_FALSE(fixture.stream->quiet(true));
                 start(read(*fixture.stream, second));
                 // At once: there is nothing left in the socket that the kernel could report.
                 CHECK(second == IoError::none);
                 CHECK(fixture.stream->buffer.view() == "b");
                 fixture.stream->cancel();
               }});
}

}  // namespace onceproxy::io
