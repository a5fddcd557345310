// Bytes that the kernel moves from one stream to another.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>
#include <csignal>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proxy/io/stream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::io {
namespace {

constexpr std::size_t buffer_max = 64 * 1024;

/// Two streams whose peers are the test, on a loop that makes a step of the test's whenever nothing
/// happens, and ends after the last one.
struct Fixture {
  std::deque<std::function<void()>> steps;
  EventLoop loop{[] {},
                 [this](bool quiet) {
                   if (quiet) next_step();
                   return true;
                 }};
  Pipes pipes;
  std::array<int, 2> peers{-1, -1};
  std::optional<Stream> from;
  std::optional<Stream> to;

  Fixture() {
    // As the program does: splice(2) has no flag for it.
    std::signal(SIGPIPE, SIG_IGN);
    connect(peers[0], from);
    connect(peers[1], to);
  }
  ~Fixture() {
    for (const int peer : peers) ::close(peer);
  }
  void connect(int& peer, std::optional<Stream>& stream) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    peer = ends[1];
    Socket socket(loop.context());
    socket.assign(asio::local::stream_protocol(), ends[0]);
    stream.emplace(loop, std::move(socket), std::chrono::minutes(1));
  }
  void run(std::deque<std::function<void()>> made = {}) {
    steps = std::move(made);
    loop.run();
  }
  void next_step() {
    if (steps.empty()) return loop.stop();
    const auto step = std::move(steps.front());
    steps.pop_front();
    step();
  }
  void peer_sends(std::string_view bytes) const {
    REQUIRE(::send(peers[0], bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  /// What has arrived at the other end.
  std::string arrived() const {
    std::string all;
    std::vector<char> bytes(1 << 16);
    ssize_t got = 0;
    while ((got = ::recv(peers[1], bytes.data(), bytes.size(), 0)) > 0) {
      all.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
};

struct Moved {
  std::optional<IoError> read;
  std::optional<IoResult> written;
  std::size_t piped = 0;
};

/// One read through a pipe, at most `bytes_max` bytes, and one write of what it brought.
Task<void> move(Fixture& fixture, std::uint64_t bytes_max, std::string_view before, Moved& moved) {
  Piped piped(fixture.pipes);
  const IoError error = co_await fixture.from->fill(buffer_max, piped, bytes_max);
  moved.read = error;
  moved.piped = piped.bytes();
  if (error != IoError::none) co_return;
  const Stream::Parts parts{before, fixture.from->buffer.view()};
  const IoResult written = co_await fixture.to->write(parts, piped);
  moved.written = written;
}

}  // namespace

TEST_CASE("bytes are moved through a pipe, as many as were asked for") {
  Fixture fixture;
  Moved moved;
  start(move(fixture, 5, "head:", moved));
  fixture.run({[&] { fixture.peer_sends("body, and more"); }, [] {}, [] {}});
  REQUIRE(moved.written);
  CHECK(moved.piped == 5);
  CHECK(moved.written->error == IoError::none);
  CHECK(moved.written->bytes == 10);
  CHECK(fixture.arrived() == "head:body,");
  CHECK(fixture.from->buffer.empty());
  CHECK(fixture.pipes.used() == 0);
}

TEST_CASE("without a pipe the bytes are read into the buffer") {
  Fixture fixture;
  std::deque<Piped> all;
  for (std::size_t i = 0; i < Pipes::used_max; ++i) REQUIRE(all.emplace_back(fixture.pipes).open());
  Moved moved;
  start(move(fixture, 1 << 20, "", moved));
  fixture.run({[&] { fixture.peer_sends("body"); }, [] {}, [] {}});
  REQUIRE(moved.written);
  CHECK(moved.piped == 0);
  CHECK(fixture.arrived() == "body");
}

TEST_CASE("an end and a failure are told as by every other read") {
  Fixture fixture;
  Moved moved;
  start(move(fixture, 1 << 20, "", moved));
  SECTION("an end") {
    fixture.run({[&] { ::shutdown(fixture.peers[0], SHUT_WR); }, [] {}});
    CHECK(moved.read == IoError::eof);
  }
  SECTION("a deadline") {
    fixture.run({[&] {
                   fixture.loop.deadlines().run(std::chrono::steady_clock::now() +
                                                std::chrono::minutes(2));
                 },
                 [] {}});
    CHECK(moved.read == IoError::timed_out);
  }
  SECTION("a cancellation") {
    fixture.run({[&] { fixture.from->cancel(); }, [] {}});
    CHECK(moved.read == IoError::broken);
  }
  CHECK(fixture.pipes.used() == 0);
}

TEST_CASE("a write out of a pipe waits for its peer, and ends when that is gone") {
  Fixture fixture;
  // The socket is full: what the pipe holds cannot go on.
  std::optional<IoError> filled;
  const std::string too_much(1 << 20, 'x');
  const auto fill = [](Stream& to, std::string_view bytes,
                       std::optional<IoError>& ended) -> Task<void> {
    const IoResult result = co_await to.write(bytes);
    ended = result.error;
  };
  Moved moved;
  start(fill(*fixture.to, too_much, filled));
  std::string got;
  const auto all_taken = [&] { got += fixture.arrived(); };
  std::deque<std::function<void()>> steps;
  for (int i = 0; i < 8; ++i) steps.emplace_back(all_taken);
  SECTION("it waits") {
    steps.emplace_back([&] {
      CHECK(filled == IoError::none);
      start(move(fixture, 1 << 20, "", moved));
      fixture.peer_sends("behind");
    });
    for (int i = 0; i < 4; ++i) steps.emplace_back(all_taken);
    fixture.run(std::move(steps));
    REQUIRE(moved.written);
    CHECK(moved.written->error == IoError::none);
    CHECK(got == too_much + "behind");
  }
  SECTION("it ends") {
    steps.emplace_back([&] {
      start(move(fixture, 1 << 20, "", moved));
      ::close(fixture.peers[1]);
      fixture.peers[1] = ::dup(fixture.peers[0]);
      fixture.peer_sends("lost");
    });
    for (int i = 0; i < 3; ++i) steps.emplace_back([] {});
    fixture.run(std::move(steps));
    REQUIRE(moved.written);
    CHECK(moved.written->error == IoError::broken);
    CHECK(fixture.pipes.kept() == 0);
  }
  CHECK(fixture.pipes.used() == 0);
}

TEST_CASE("bytes that have arrived are moved into a pipe at once") {
  Fixture fixture;
  Piped piped(fixture.pipes);
  SECTION("nothing") {
    CHECK_FALSE(fixture.from->take_piped(piped, 100));
    CHECK(fixture.pipes.used() == 0);
  }
  SECTION("bytes") {
    fixture.peer_sends("body");
    CHECK(fixture.from->take_piped(piped, 3));
    CHECK(piped.bytes() == 3);
  }
  SECTION("an end, which a read tells") {
    ::shutdown(fixture.peers[0], SHUT_WR);
    CHECK_FALSE(fixture.from->take_piped(piped, 100));
    CHECK_FALSE(fixture.from->quiet(true));
  }
}

}  // namespace onceproxy::io
