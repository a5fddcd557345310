#include "proxy/grpc/call.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "proxy/grpc/message_reader.hpp"
#include "sessions.hpp"

namespace onceproxy::grpc {
namespace {

using http2::testing::World;
using Read = ServerStream::Read;

constexpr std::size_t message_bytes = 20'000;

/// The limits as the test sets them.
struct TestArrivals final : Arrivals {
  struct Message final : Share {
    explicit Message(TestArrivals& of) : arrivals(of) {}
    ~Message() override { arrivals.held = 0; }
    bool grow(std::size_t, std::size_t held) override {
      arrivals.held = held;
      return arrivals.room;
    }
    TestArrivals& arrivals;
  };

  std::unique_ptr<Share> begin(std::function<void()> told) override {
    shed = std::move(told);
    return std::make_unique<Message>(*this);
  }
  std::chrono::milliseconds time_max() const override { return std::chrono::hours(1); }

  std::function<void()> shed;
  std::size_t held = 0;
  bool room = true;
};

/// The first half of a message.
std::string half() {
  const auto prefix = prefix_of(message_bytes);
  return std::string(prefix.data(), prefix.size()) + std::string(message_bytes / 2, 'x');
}

/// Reads one message, and shows what is left of it.
struct Reader {
  io::Task<void> serve(http2::Exchange& exchange) {
    Call call(exchange, {1'000'000, &arrivals}, std::nullopt, counters);
    if (keeps) call.keep_messages();
    std::string message;
    read = co_await call.read(message);
    size = message.size();
    capacity = message.capacity();
    why = call.gone();
    call.finish({});
  }

  TestArrivals arrivals;
  telemetry::Http2Counters counters;
  bool keeps = false;
  std::optional<Read> read;
  std::size_t size = 0;
  std::size_t capacity = 0;
  std::optional<Gone> why;
};

TEST_CASE("the memory of a message that is given up is freed at once") {
  Reader reader;
  World world([&](http2::Exchange& exchange) { return reader.serve(exchange); });
  std::int32_t stream = 0;
  std::optional<Gone> why = Gone::refused;
  world.step([&] { stream = world.client.request("/s/m", true); });
  world.step([&] { world.client.send(stream, half(), false); });
  world.step([&] { CHECK(reader.arrivals.held == message_bytes / 2); });
  SECTION("others need its memory") {
    world.step([&] { reader.arrivals.shed(); });
  }
  SECTION("there is no room for more of it") {
    world.step([&] {
      reader.arrivals.room = false;
      world.client.send(stream, "x", false);
    });
  }
  SECTION("it does not end") {
    why = Gone::protocol;
    world.step([&] { world.client.send(stream, "", true); });
  }
  SECTION("its client cancels it") {
    why = Gone::reset;
    world.step([&] {
      nghttp2_submit_rst_stream(world.client.native, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
    });
  }
  world.run();
  REQUIRE(reader.read == Read::gone);
  CHECK(reader.why == why);
  CHECK(reader.capacity < 100);
  CHECK(reader.arrivals.held == 0);
}

TEST_CASE("a message that is kept counts, and cannot be given up") {
  Reader reader;
  reader.keeps = true;
  World world([&](http2::Exchange& exchange) { return reader.serve(exchange); });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/s/m", true); });
  world.step([&] { world.client.send(stream, half(), false); });
  world.step([&] {
    CHECK(reader.arrivals.held == message_bytes / 2);
    CHECK_FALSE(reader.arrivals.shed);
    world.client.send(stream, std::string(message_bytes / 2, 'x'), true);
  });
  world.run();
  CHECK(reader.read == Read::message);
  CHECK(reader.size == message_bytes);
  CHECK_FALSE(reader.why);
}

}  // namespace
}  // namespace onceproxy::grpc
