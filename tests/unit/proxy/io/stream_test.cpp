#include "proxy/io/stream.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proxy/io/task.hpp"

namespace onceproxy::io {
namespace {

/// Records which operation was awaited twice, and callbacks that came without being awaited.
struct Watched final : Stream {
  using Stream::Stream;
  ~Watched() { close(); }
  void awaited_twice(std::string_view operation) override { twice = operation; }
  void heard_unasked() override {
    ++times_heard_unasked;
    if (then) then();
  }
  std::string twice;
  int times_heard_unasked = 0;
  std::function<void()> then;
};

/// More than a socket takes while its peer reads nothing.
const std::string too_much(1 << 20, 'x');

/// A stream whose peer is the test, on a loop that makes a step of the test's whenever nothing
/// happens, and ends after the last one.
struct Fixture {
  std::deque<std::function<void()>> steps;
  EventLoop loop{[] {},
                 [this](bool quiet) {
                   if (quiet) next_step();
                   return true;
                 }};
  int peer = -1;
  std::optional<Watched> stream;

  Fixture() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    peer = ends[1];
    Socket socket(loop.context());
    socket.assign(asio::local::stream_protocol(), ends[0]);
    stream.emplace(loop, std::move(socket), std::chrono::minutes(1));
  }
  ~Fixture() { ::close(peer); }

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
  void peer_sends() const { REQUIRE(::send(peer, "x", 1, 0) == 1); }
  /// True: what came was read to its end.
  bool peer_sees_the_end() const {
    std::vector<char> bytes(1 << 20);
    ssize_t got = 0;
    while ((got = ::recv(peer, bytes.data(), bytes.size(), 0)) > 0) continue;
    return got == 0;
  }
};

Task<void> read(Stream& stream, std::optional<IoError>& ended) {
  const IoError error = co_await stream.fill(1024);
  ended = error;
}

Task<void> write(Stream& stream, std::string_view bytes, std::optional<IoError>& ended) {
  const IoResult result = co_await stream.write(bytes);
  ended = result.error;
}

Task<void> write_listening(Stream& stream, Stream::Parts parts, std::optional<IoResult>& ended) {
  const IoResult result = co_await stream.write_listening(parts);
  ended = result;
}

Task<void> write_if_quiet(Stream& stream, std::string_view bytes, std::optional<IoResult>& ended) {
  const Stream::Parts parts{bytes};
  const IoResult result = co_await stream.write_if_quiet(parts);
  ended = result;
}

Task<void> connect_to(Stream& stream, const std::vector<SocketAddress>& addresses,
                      std::optional<IoError>& ended) {
  const IoError error = co_await stream.connect(addresses, std::chrono::seconds(1));
  ended = error;
}

}  // namespace

TEST_CASE("a second read of a stream ends both and closes it") {
  Fixture fixture;
  std::optional<IoError> first;
  std::optional<IoError> second;
  start(read(*fixture.stream, first));
  REQUIRE_FALSE(first);
  start(read(*fixture.stream, second));
  CHECK(second == IoError::broken);
  CHECK_FALSE(fixture.stream->open());
  fixture.run();
  CHECK(first == IoError::broken);
  CHECK(fixture.stream->twice == "read");
  CHECK(fixture.peer_sees_the_end());
}

TEST_CASE("a second write to a stream ends both and closes it") {
  Fixture fixture;
  std::optional<IoError> first;
  std::optional<IoError> second;
  start(write(*fixture.stream, too_much, first));
  start(write(*fixture.stream, "y", second));
  CHECK(second == IoError::broken);
  fixture.run();
  CHECK(first == IoError::broken);
  CHECK(fixture.stream->twice == "write");
  CHECK(fixture.peer_sees_the_end());
}

TEST_CASE("a read that has ended but whose coroutine was not resumed yet cannot be joined") {
  Fixture fixture;
  std::optional<IoError> first;
  std::optional<IoError> second;
  start(read(*fixture.stream, first));
  fixture.stream->cancel();
  start(read(*fixture.stream, second));
  CHECK(second == IoError::broken);
  fixture.run();
  CHECK(first == IoError::broken);
  CHECK(fixture.stream->twice == "read");
}

TEST_CASE("one coroutine reads a stream while another writes to it") {
  Fixture fixture;
  std::optional<IoError> reading;
  std::optional<IoError> writing;
  start(read(*fixture.stream, reading));
  start(write(*fixture.stream, "y", writing));
  fixture.peer_sends();
  fixture.run();
  CHECK(reading == IoError::none);
  CHECK(writing == IoError::none);
  CHECK(fixture.stream->twice.empty());
}

TEST_CASE("a write that listens ends when the peer speaks before it has taken all") {
  Fixture fixture;
  std::optional<IoResult> ended;
  start(write_listening(*fixture.stream, {too_much}, ended));
  SECTION("because the peer had spoken before") {
    fixture.peer_sends();
    fixture.run();
  }
  SECTION("because the peer speaks while the rest waits") {
    fixture.run({[&] { CHECK_FALSE(ended); }, [&] { fixture.peer_sends(); }, [] {}});
  }
  SECTION("because the peer ends") {
    fixture.run({[&] { ::shutdown(fixture.peer, SHUT_WR); }, [] {}});
  }
  REQUIRE(ended);
  CHECK(ended->error == IoError::peer_spoke);
  CHECK(ended->bytes > 0);
  CHECK(ended->bytes < too_much.size());
}

TEST_CASE("a write that listens is made whole where the kernel takes it at once") {
  Fixture fixture;
  std::optional<IoResult> ended;
  fixture.peer_sends();
  start(write_listening(*fixture.stream, {"y"}, ended));
  fixture.run();
  REQUIRE(ended);
  CHECK(ended->error == IoError::none);
}

TEST_CASE("a write that listens is tried also where the peer spoke just before") {
  Fixture fixture;
  std::optional<IoResult> ended;
  REQUIRE(fixture.stream->quiet(true));
  start(write_listening(*fixture.stream, {"y"}, ended));
  fixture.peer_sends();
  fixture.run();
  REQUIRE(ended);
  CHECK(ended->error == IoError::none);
}

TEST_CASE("bytes written in parts of any size arrive in order") {
  Fixture fixture;
  std::optional<IoResult> ended;
  const auto size = GENERATE(std::size_t{1}, std::size_t{700}, std::size_t{5'000});
  const std::string one(size, '1');
  const std::string two(size, '2');
  start(write_listening(*fixture.stream, Stream::Parts{one, "", two, "end"}, ended));
  fixture.run();
  REQUIRE(ended);
  CHECK(ended->bytes == 2 * size + 3);
  std::string got(3 * size + 4, '\0');
  const ssize_t bytes = ::recv(fixture.peer, got.data(), got.size(), 0);
  REQUIRE(bytes > 0);
  CHECK(got.substr(0, static_cast<std::size_t>(bytes)) == one + two + "end");
}

TEST_CASE("write_if_quiet writes if the peer has sent nothing") {
  Fixture fixture;
  std::optional<IoResult> ended;
  start(write_if_quiet(*fixture.stream, "y", ended));
  fixture.run();
  REQUIRE(ended);
  CHECK(ended->error == IoError::none);
  CHECK(ended->bytes == 1);
}

TEST_CASE("not a byte is written where the peer is not quiet when the write is made") {
  Fixture fixture;
  std::optional<IoResult> ended;
  // Known by a wait that is under way, or not at all.
  if (GENERATE(true, false)) REQUIRE(fixture.stream->quiet(true));
  start(write_if_quiet(*fixture.stream, "y", ended));
  SECTION("since it has ended") {
    ::shutdown(fixture.peer, SHUT_WR);
  }
  SECTION("since it has sent what nobody asked for") {
    fixture.peer_sends();
  }
  fixture.run();
  REQUIRE(ended);
  CHECK(ended->error == IoError::broken);
  CHECK(ended->bytes == 0);
  char byte;
  CHECK(::recv(fixture.peer, &byte, 1, MSG_DONTWAIT) < 0);
}

TEST_CASE("the deadline of a read outlives a write that had to wait") {
  Fixture fixture;
  std::optional<IoError> writing;
  std::optional<IoError> reading;
  start(write(*fixture.stream, too_much, writing));
  std::deque<std::function<void()>> steps;
  steps.emplace_back([&] {
    CHECK_FALSE(writing);
    fixture.stream->expire_after(std::chrono::minutes(1));
    start(read(*fixture.stream, reading));
  });
  std::function<void()> let_it_be_taken = [&] {
    CHECK_FALSE(fixture.peer_sees_the_end());
    if (!writing) fixture.steps.push_front(let_it_be_taken);
  };
  steps.push_back(let_it_be_taken);
  steps.emplace_back([&] {
    CHECK(writing == IoError::none);
    CHECK_FALSE(reading);
    CHECK(fixture.stream->armed());
    fixture.stream->cancel();
  });
  fixture.run(std::move(steps));
}

TEST_CASE("a write that makes no progress ends by itself, and takes no read with it") {
  Fixture fixture;
  std::optional<IoError> writing;
  std::optional<IoError> reading;
  fixture.stream->expire_after(std::chrono::hours(1));
  start(write(*fixture.stream, too_much, writing));
  start(read(*fixture.stream, reading));
  const auto after_a_while = [&] {
    CHECK_FALSE(writing);
    fixture.loop.deadlines().run(std::chrono::steady_clock::now() + std::chrono::minutes(2));
  };
  fixture.run({after_a_while, [&] {
                 CHECK(writing == IoError::timed_out);
                 CHECK_FALSE(reading);
                 fixture.stream->cancel();
               }});
}

TEST_CASE("nothing is written behind a write that was cut short") {
  Fixture fixture;
  std::optional<IoError> first;
  std::optional<IoError> second;
  start(write(*fixture.stream, too_much, first));
  const auto after_a_while = [&] {
    fixture.loop.deadlines().run(std::chrono::steady_clock::now() + std::chrono::minutes(2));
  };
  fixture.run({after_a_while, [&] {
                 CHECK(first == IoError::timed_out);
                 start(write(*fixture.stream, "more", second));
                 CHECK(second == IoError::broken);
               }});
}

TEST_CASE("a read that was given no deadline ends when nothing moves on the stream") {
  Fixture fixture;
  std::optional<IoError> reading;
  start(read(*fixture.stream, reading));
  fixture.run({[&] {
                 fixture.loop.deadlines().run(std::chrono::steady_clock::now() +
                                              std::chrono::minutes(2));
               },
               [&] {
                 CHECK(reading == IoError::timed_out);
                 CHECK_FALSE(fixture.stream->armed());
               }});
}

TEST_CASE("a stream that nobody reads hears its peer send, and end") {
  Fixture fixture;
  REQUIRE(fixture.stream->quiet(false));
  std::function<void()> happen;
  SECTION("send") {
    happen = [&] { fixture.peer_sends(); };
  }
  SECTION("end") {
    happen = [&] { ::shutdown(fixture.peer, SHUT_WR); };
  }
  fixture.run({[&] { CHECK(fixture.stream->quiet(false)); }, happen, [] {}});
  CHECK(fixture.stream->times_heard_unasked == 1);
  CHECK_FALSE(fixture.stream->quiet(false));
}

TEST_CASE("a stream that was read hears of what comes next") {
  Fixture fixture;
  std::optional<IoError> reading;
  fixture.peer_sends();
  start(read(*fixture.stream, reading));
  CHECK(reading == IoError::none);
  fixture.run({[&] { fixture.peer_sends(); }, [] {}});
  CHECK(fixture.stream->times_heard_unasked == 1);
}

TEST_CASE("a stream may be destroyed when it hears from its peer") {
  Fixture fixture;
  REQUIRE(fixture.stream->quiet(false));
  fixture.stream->then = [&] { fixture.stream.reset(); };
  fixture.run({[&] { fixture.peer_sends(); }, [] {}});
  CHECK_FALSE(fixture.stream);
}

TEST_CASE("a stream that is gone is told nothing of what it waited for") {
  Fixture fixture;
  std::optional<IoError> writing;
  fixture.stream->then = [] { FAIL("told"); };
  REQUIRE(fixture.stream->quiet(false));
  start(write(*fixture.stream, too_much, writing));
  // Both waits have something to tell by the time the stream is gone.
  fixture.run({[&] { fixture.stream->cancel(); },
               [&] {
                 CHECK(writing == IoError::broken);
                 fixture.peer_sends();
                 CHECK_FALSE(fixture.peer_sees_the_end());
                 fixture.stream.reset();
               },
               [] {}});
  CHECK_FALSE(fixture.stream);
}

TEST_CASE("an operation that waits when its stream is destroyed ends with the loop") {
  Fixture fixture;
  REQUIRE(fixture.stream->quiet(false));
  fixture.stream.reset();
}

TEST_CASE("a stream connects to the first address that answers") {
  using asio::ip::tcp;
  const SocketAddress any = tcp::endpoint(asio::ip::address_v4::loopback(), 0);
  Fixture fixture;
  Acceptor acceptor(fixture.loop.context(), any);
  std::vector<SocketAddress> addresses{Acceptor(fixture.loop.context(), any).local_endpoint()};
  std::optional<IoError> ended;
  Watched made(fixture.loop, std::chrono::minutes(1));
  CHECK_FALSE(made.open());
  SECTION("one does") {
    addresses.emplace_back(acceptor.local_endpoint());
    start(connect_to(made, addresses, ended));
    fixture.run({[] {}, [] {}});
    CHECK(ended == IoError::none);
    CHECK(made.connected_to() == 1);
    CHECK(made.open());
    CHECK(made.quiet(true));
  }
  SECTION("none does") {
    start(connect_to(made, addresses, ended));
    fixture.run({[] {}, [] {}});
    CHECK(ended == IoError::broken);
    CHECK_FALSE(made.open());
  }
  SECTION("who waits is cut short") {
    start(connect_to(made, addresses, ended));
    made.close();
    fixture.run();
    CHECK(ended == IoError::broken);
    CHECK_FALSE(made.open());
  }
}

}  // namespace onceproxy::io
