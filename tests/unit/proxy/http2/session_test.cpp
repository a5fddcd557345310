#include "proxy/http2/session.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "sessions.hpp"

namespace onceproxy::http2 {
namespace {

using io::Task;
using testing::Wait;
using testing::World;

const Fields end{{"x-end", "1"}};

/// The body, as it was when the request had ended, comes back with the trailers.
Task<void> echo(Exchange& exchange) {
  exchange.respond(200, {{"x-path", exchange.request().path}});
  while (true) {
    const auto got = co_await exchange.read();
    if (got == Exchange::Read::gone) co_return;
    if (got == Exchange::Read::end) break;
    const std::string_view body = exchange.body();
    const bool written = co_await exchange.write(body);
    if (!written) co_return;
    exchange.consume(body.size());
  }
  exchange.end(exchange.trailers());
}

}  // namespace

TEST_CASE("a request and its answer are heads, bodies and an end") {
  World world(echo);
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/p?q", true, {{"x-one", "1"}}); });
  world.step([&] { world.client.send(stream, "hello", true); });
  world.step([&] {
    const auto& answer = world.client.answers[stream];
    CHECK(answer.fields.at(":status") == "200");
    CHECK(answer.fields.at("x-path") == "/p?q");
    CHECK(answer.body == "hello");
    CHECK(answer.error == no_error);
    CHECK(world.counters.streams() == 0);
  });
  world.run();
}

TEST_CASE("a view of the body stays as it is while more of the body comes") {
  std::string first;
  std::string_view view;
  World world([&](Exchange& exchange) -> Task<void> {
    co_await exchange.read();
    view = exchange.body();
    first = view;
    // Nothing of it can be sent until the test says so.
    exchange.respond(200, {});
    co_await exchange.write(view);
    CHECK(view == first);
    exchange.end();
  });
  std::int32_t stream = 0;
  world.step([&] {
    const nghttp2_settings_entry no_window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    nghttp2_submit_settings(world.client.native, NGHTTP2_FLAG_NONE, &no_window, 1);
    stream = world.client.request("/", true);
    world.client.send(stream, std::string(1'000, 'a'), false);
  });
  world.step([&] { world.client.send(stream, std::string(200'000, 'b'), false); });
  world.step([&] {
    CHECK(view == std::string(1'000, 'a'));
    world.client.open_windows(stream, 100'000);
  });
  world.step([&] { CHECK(world.client.answers[stream].body == std::string(1'000, 'a')); });
  world.run();
}

TEST_CASE("what a handler does not take is not acknowledged, and comes back when it has ended") {
  std::coroutine_handle<> waiter;
  Limits limits;
  limits.stream_window = limits.connection_window = 100'000;
  World world(
      [&](Exchange& exchange) -> Task<void> {
        co_await Wait{waiter};
        exchange.reset(cancel_error);
      },
      limits);
  nghttp2_session* const client = world.client.native;
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] {
    CHECK(nghttp2_session_get_stream_remote_window_size(client, stream) == 100'000);
    world.client.send(stream, std::string(60'000, 'x'), false);
  });
  world.step([&] {
    CHECK(nghttp2_session_get_stream_remote_window_size(client, stream) == 40'000);
    CHECK(nghttp2_session_get_remote_window_size(client) == 40'000);
    waiter.resume();
  });
  world.step([&] {
    CHECK(world.client.answers[stream].error == cancel_error);
    CHECK(nghttp2_session_get_remote_window_size(client) == 100'000);
  });
  world.run();
}

TEST_CASE("a request that is reset within the read that brought it gives its bytes back") {
  int served = 0;
  Limits limits;
  limits.stream_window = limits.connection_window = 100'000;
  World world(
      [&](Exchange&) -> Task<void> {
        ++served;
        co_return;
      },
      limits);
  nghttp2_session* const client = world.client.native;
  const bool whole = GENERATE(false, true);
  world.step([&] {
    const std::int32_t stream = world.client.request("/", true);
    world.client.send(stream, std::string(60'000, 'x'), whole);
    std::string bytes = world.client_output();
    nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, stream, cancel_error);
    bytes += world.client_output();
    world.read(bytes);
    CHECK(world.session->open_exchanges() == 0);
    CHECK(world.session->held_bytes() == 0);
  });
  world.step([&] { CHECK(nghttp2_session_get_remote_window_size(client) == 100'000); });
  world.run();
  CHECK(served == 0);
}

TEST_CASE("what a handler has not seen of a request that was reset comes back at once") {
  std::coroutine_handle<> waiter;
  Limits limits;
  limits.stream_window = limits.connection_window = 100'000;
  World world(
      [&](Exchange& exchange) -> Task<void> {
        co_await exchange.read();
        const std::string seen(exchange.body());
        co_await Wait{waiter};
        CHECK(exchange.body() == seen);
      },
      limits);
  nghttp2_session* const client = world.client.native;
  std::int32_t stream = 0;
  world.step([&] {
    stream = world.client.request("/", true);
    world.client.send(stream, "first", false);
  });
  world.step([&] { world.client.send(stream, std::string(60'000, 'x'), false); });
  world.step([&] {
    CHECK(world.session->held_bytes() == 60'005);
    nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, stream, cancel_error);
  });
  world.step([&] {
    CHECK(world.session->held_bytes() == 5);
    CHECK(nghttp2_session_get_remote_window_size(client) >= 99'995);
    waiter.resume();
  });
  world.run();
}

TEST_CASE("bytes that no handler gets, padding among them, come back to the connection") {
  Limits limits;
  limits.stream_window = limits.connection_window = 65'535;
  limits.handlers = 1;
  limits.empty_frames = {1'000, 1};
  std::coroutine_handle<> waiter;
  World world([&](Exchange&) -> Task<void> { co_await Wait{waiter}; }, limits);
  nghttp2_session* const client = world.client.native;
  std::int32_t first = 0;
  world.step([&] { first = world.client.request("/", true); });
  world.step([&] {
    // Refused, because a handler runs that is not to end.
    const std::int32_t refused = world.client.request("/", true);
    world.client.send(refused, std::string(40'000, 'x'), false);
    world.read(world.client_output());
    CHECK(world.session->held_bytes() == 0);
  });
  world.step([&] {
    CHECK(nghttp2_session_get_remote_window_size(client) > 50'000);
    // DATA of 200 bytes: the length of the padding, one byte, and 198 bytes of padding. All frames
    // together are larger than the windows.
    std::string padded("\0\0\xc8\0\x08\0\0\0\0\xc6x", 11);
    padded[8] = static_cast<char>(first);
    padded.append(198, '\0');
    std::string bytes;
    for (int i = 0; i < 400; ++i) bytes += padded;
    world.read(bytes);
    CHECK(world.good);
    CHECK_FALSE(world.session->failed());
    CHECK(world.session->open_exchanges() == 1);
    CHECK(world.session->held_bytes() == 400);
    waiter.resume();
  });
  world.run();
}

TEST_CASE("what a handler takes, the peer may send again") {
  World world([&](Exchange& exchange) -> Task<void> {
    exchange.respond(200, {});
    std::size_t bytes = 0;
    while (co_await exchange.read() == Exchange::Read::bytes) {
      bytes += exchange.body().size();
      exchange.consume(exchange.body().size());
    }
    const std::string text = std::to_string(bytes);
    co_await exchange.write(text);
    exchange.end();
  });
  std::int32_t stream = 0;
  world.step([&] {
    stream = world.client.request("/", true);
    world.client.send(stream, std::string(5'000'000, 'x'), true);
  });
  world.step([&] { CHECK(world.client.answers[stream].body == "5000000"); });
  world.run();
}

TEST_CASE("a write waits until the peer takes it") {
  bool written = false;
  World world([&](Exchange& exchange) -> Task<void> {
    exchange.respond(200, {});
    const std::string large(200'000, 'x');
    written = co_await exchange.write(large);
    exchange.end({{"x-end", "1"}});
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", false); });
  world.step([&] {
    // The window that a client has by default.
    CHECK(world.client.answers[stream].body.size() == 65'535);
    CHECK_FALSE(written);
    world.client.open_windows(stream, 200'000);
  });
  world.step([&] {
    CHECK(written);
    CHECK(world.client.answers[stream].body.size() == 200'000);
    CHECK(world.client.answers[stream].trailers.at("x-end") == "1");
  });
  world.run();
}

TEST_CASE("the last bytes of an answer, its trailers and its end go out together") {
  bool written = false;
  World world([&](Exchange& exchange) -> Task<void> {
    co_await exchange.read();
    exchange.consume(exchange.body().size());
    exchange.respond(200, {});
    const Exchange::Parts parts{"all ", "of it"};
    written = co_await exchange.write_last(parts, end);
    CHECK_FALSE(exchange.open());
    CHECK_FALSE(exchange.gone());
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] { world.client.send(stream, "x", false); });
  world.step([&] {
    CHECK(written);
    CHECK(world.client.answers[stream].body == "all of it");
    CHECK(world.client.answers[stream].trailers.at("x-end") == "1");
    CHECK(world.sent_at_once == 1);
    // The client's end comes later, and nothing failed.
    world.client.send(stream, "", true);
  });
  world.step([&] { CHECK(world.client.answers[stream].error == no_error); });
  world.run();
}

TEST_CASE("a last write that the peer takes in parts ends behind all of it") {
  World world([&](Exchange& exchange) -> Task<void> {
    exchange.respond(200, {});
    const std::string large(100'000, 'x');
    const Exchange::Parts parts{large};
    const bool written = co_await exchange.write_last(parts, end);
    CHECK(written);
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", false); });
  world.step([&] {
    CHECK(world.client.answers[stream].body.size() == 65'535);
    CHECK(world.client.answers[stream].trailers.empty());
    world.client.open_windows(stream, 200'000);
  });
  world.step([&] {
    CHECK(world.client.answers[stream].body.size() == 100'000);
    CHECK(world.client.answers[stream].trailers.at("x-end") == "1");
    CHECK(world.client.answers[stream].error == no_error);
  });
  world.run();
}

TEST_CASE("a last write that the peer does not wait for has failed") {
  bool written = true;
  World world([&](Exchange& exchange) -> Task<void> {
    exchange.respond(200, {});
    const std::string large(100'000, 'x');
    const Exchange::Parts parts{large};
    written = co_await exchange.write_last(parts, end);
    CHECK(exchange.gone() == Gone::reset);
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", false); });
  world.step([&] {
    nghttp2_submit_rst_stream(world.client.native, NGHTTP2_FLAG_NONE, stream, cancel_error);
  });
  world.step([&] { CHECK_FALSE(written); });
  world.run();
}

TEST_CASE("a peer that resets its stream ends what is awaited, and nothing waits any more") {
  auto got = Exchange::Read::bytes;
  World world([&](Exchange& exchange) -> Task<void> {
    got = co_await exchange.read();
    CHECK(exchange.gone() == Gone::reset);
    exchange.respond(200, {});
    const bool written = co_await exchange.write("x");
    CHECK_FALSE(written);
    exchange.end();
    const auto again = co_await exchange.read();
    CHECK(again == Exchange::Read::gone);
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] {
    nghttp2_submit_rst_stream(world.client.native, NGHTTP2_FLAG_NONE, stream, cancel_error);
  });
  world.step([&] { CHECK(got == Exchange::Read::gone); });
  world.run();
}

TEST_CASE("who waits for something else is told that the peer is gone, once") {
  std::vector<Gone> told;
  std::coroutine_handle<> waiter;
  World world([&](Exchange& exchange) -> Task<void> {
    exchange.on_gone([&](Gone why) { told.push_back(why); });
    co_await Wait{waiter};
    CHECK_FALSE(exchange.open());
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] {
    nghttp2_submit_rst_stream(world.client.native, NGHTTP2_FLAG_NONE, stream, cancel_error);
  });
  world.step([&] {
    CHECK(told == std::vector{Gone::reset});
    // The stream is gone, and its handler keeps its place.
    CHECK(world.counters.streams() == 0);
    CHECK(world.origin->handlers == 1);
    waiter.resume();
  });
  world.run();
  CHECK(told.size() == 1);
}

TEST_CASE("the end of a connection ends its exchanges") {
  std::optional<Gone> why;
  World world([&](Exchange& exchange) -> Task<void> {
    co_await exchange.read();
    why = exchange.gone();
  });
  world.step([&] { world.client.request("/", true); });
  world.run();
  CHECK(why == Gone::connection);
}

TEST_CASE("a handler that returns without an answer fails its stream") {
  World world([](Exchange&) -> Task<void> { co_return; });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] { CHECK(world.client.answers[stream].error == internal_error); });
  world.run();
}

TEST_CASE("an answer may end before the request, which then is not read any more") {
  World world([](Exchange& exchange) -> Task<void> {
    exchange.respond(413, {}, true);
    CHECK_FALSE(exchange.open());
    const auto got = co_await exchange.read();
    CHECK(got == Exchange::Read::gone);
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] {
    CHECK(world.client.answers[stream].fields.at(":status") == "413");
    CHECK_FALSE(world.client.answers[stream].error);
    world.client.send(stream, std::string(100'000, 'x'), false);
  });
  world.step([&] { CHECK(world.client.answers[stream].error == no_error); });
  world.run();
}

TEST_CASE("interim answers come before the final one") {
  World world([](Exchange& exchange) -> Task<void> {
    exchange.interim(103, {{"link", "</s>"}});
    exchange.respond(204, {}, true);
    co_return;
  });
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", false); });
  world.step([&] { CHECK(world.client.answers[stream].error == no_error); });
  world.run();
}

TEST_CASE("requests with too many fields are answered here") {
  Limits limits;
  limits.header_fields = 10;
  World world(echo, limits);
  std::int32_t stream = 0;
  world.step([&] {
    Fields fields;
    for (int i = 0; i < 10; ++i) fields.push_back({"x-" + std::to_string(i), "y"});
    stream = world.client.request("/", false, fields);
  });
  world.step([&] { CHECK(world.client.answers[stream].fields.at(":status") == "431"); });
  world.run();
}

TEST_CASE("a flood ends the session with ENHANCE_YOUR_CALM") {
  Limits limits;
  limits.pings = {5, 1};
  World world(echo, limits);
  world.step([&] {
    for (int i = 0; i < 6; ++i)
      nghttp2_submit_ping(world.client.native, NGHTTP2_FLAG_NONE, nullptr);
  });
  world.step([&] {
    CHECK(world.session->flood() == Flood::pings);
    CHECK(world.session->over());
    REQUIRE(world.client.goaways.size() == 1);
    CHECK(world.client.goaways[0].second == NGHTTP2_ENHANCE_YOUR_CALM);
  });
  world.run();
}

TEST_CASE("the end is announced first, and comes once the peer has answered") {
  World world(echo);
  std::int32_t stream = 0;
  world.step([&] { stream = world.client.request("/", true); });
  world.step([&] {
    world.session->announce_end();
    CHECK(world.session->pings_open() == 1);
    CHECK(world.origin->draining);
  });
  world.step([&] {
    CHECK(world.session->pings_open() == 0);
    world.session->end_requests();
  });
  world.step([&] {
    REQUIRE(world.client.goaways.size() == 2);
    CHECK(world.client.goaways[0] == std::pair(0x7fff'ffff, no_error));
    CHECK(world.client.goaways[1] == std::pair(stream, no_error));
    CHECK_FALSE(world.session->over());
    world.client.send(stream, "end", true);
  });
  world.step([&] {
    CHECK(world.client.answers[stream].body == "end");
    CHECK(world.session->over());
  });
  world.run();
}

}  // namespace onceproxy::http2
