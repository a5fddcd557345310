#include "proxy/http/handshakes.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "proxy/io/task.hpp"
#include "streams.hpp"

namespace onceproxy::http {
namespace {

using namespace std::chrono_literals;

/// What a worker has at least.
constexpr std::size_t places_min = 16;

struct Fixture : testing::Sockets {
  std::shared_ptr<const Setup> setup;
  std::vector<std::unique_ptr<io::Stream>> streams;

  explicit Fixture(std::size_t connections) { limit(connections); }
  void limit(std::size_t connections) {
    Options options;
    options.limits.connections = connections;
    setup = std::make_shared<const Setup>(
        Setup{options, nullptr, "h", GuardedFields(std::span<const policies::Policy>())});
  }
  io::Stream& stream() {
    streams.push_back(std::make_unique<io::Stream>(loop, connected(), 1min));
    return *streams.back();
  }
};

std::vector<std::unique_ptr<Handshakes::Place>> places(Fixture& f, Handshakes& all,
                                                       std::size_t count) {
  std::vector<std::unique_ptr<Handshakes::Place>> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(std::make_unique<Handshakes::Place>(all, f.stream()));
  }
  return out;
}

io::Task<void> read(io::Stream& stream, std::optional<io::IoError>& ended) {
  const io::IoError error = co_await stream.fill(1);
  ended = error;
}

TEST_CASE("A quarter of the connections may be handshakes; the oldest gives way to one more") {
  Fixture f(400);
  Handshakes all(f.setup, 1);
  const auto begun = places(f, all, 100);
  for (const auto& place : begun) CHECK_FALSE(place->lost());
  const Handshakes::Place next(all, f.stream());
  CHECK(begun[0]->lost());
  CHECK_FALSE(begun[1]->lost());
  CHECK_FALSE(next.lost());
}

TEST_CASE("The workers share the limit, and each has a few places") {
  Fixture f(400);
  Handshakes half(f.setup, 2);
  const auto begun = places(f, half, 51);
  CHECK(begun[0]->lost());
  CHECK_FALSE(begun[1]->lost());
  Handshakes tenth(f.setup, 10);
  const auto few = places(f, tenth, places_min);
  CHECK_FALSE(few[0]->lost());
  const Handshakes::Place next(tenth, f.stream());
  CHECK(few[0]->lost());
}

TEST_CASE("A handshake that has ended takes no place") {
  Fixture f(64);
  Handshakes all(f.setup, 1);
  auto begun = places(f, all, places_min);
  begun[3].reset();
  const Handshakes::Place next(all, f.stream());
  CHECK_FALSE(begun[0]->lost());
  // One that had to give way leaves nothing behind.
  const Handshakes::Place another(all, f.stream());
  REQUIRE(begun[0]->lost());
  begun[0].reset();
  CHECK_FALSE(begun[1]->lost());
}

TEST_CASE("The limit is the one of the setup that holds now") {
  Fixture f(400);
  Handshakes all(f.setup, 1);
  const auto begun = places(f, all, 20);
  f.limit(40);
  const Handshakes::Place next(all, f.stream());
  CHECK(begun[0]->lost());
}

TEST_CASE("Closing a handshake to make room ends what it waits for") {
  Fixture f(64);
  Handshakes all(f.setup, 1);
  std::optional<io::IoError> ended;
  const auto begun = places(f, all, places_min);
  io::start(read(*f.streams.front(), ended));
  REQUIRE_FALSE(ended);
  const Handshakes::Place next(all, f.stream());
  f.loop.post([&] { f.loop.post([&] { f.loop.stop(); }); });
  f.loop.run();
  CHECK(ended == io::IoError::broken);
}

}  // namespace
}  // namespace onceproxy::http
