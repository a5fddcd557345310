#include "proxy/http/request.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "streams.hpp"

namespace onceproxy::http {
namespace {

using namespace std::chrono_literals;

/// A client whose buffer holds a request, and that request.
struct Fixture : testing::Sockets {
  telemetry::Metrics metrics{"test"};
  Client client{loop, connected(), "192.0.2.1", 1min, metrics.add_worker()};
  Options options;
  RequestMemory memory;

  explicit Fixture(std::string_view text) {
    receive(text);
    const std::size_t end = find_head_end(client.buffer.view());
    REQUIRE_FALSE(parse_request_head(client.buffer.view().substr(0, end), {}, memory.head));
  }
  void receive(std::string_view bytes) {
    const io::Buffer::Room room = client.buffer.prepare(64 * 1024);
    REQUIRE(room.size >= bytes.size());
    std::memcpy(room.data, bytes.data(), bytes.size());
    client.buffer.commit(bytes.size());
  }
};

std::string get(std::string_view target, std::string_view fields) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

TEST_CASE("A request keeps the id that its client gave it") {
  Fixture f(get("/", "X-Request-Id: abc\r\n"));
  const Request request(f.memory, f.client, f.options);
  CHECK(request.id() == "abc");
  CHECK(request.forwarded_fields().request_id == "abc");
  CHECK(request.forwarded_fields().client == "192.0.2.1");
}

TEST_CASE("A request without a usable id is given one") {
  const std::string too_long(129, 'x');
  const std::string fields = GENERATE_COPY(std::string(), std::string("X-Request-Id:\r\n"),
                                           "X-Request-Id: " + too_long + "\r\n");
  Fixture f(get("/", fields));
  const Request request(f.memory, f.client, f.options);
  CHECK(request.id().size() == 36);
}

TEST_CASE("A head that is kept stays as it was when its buffer is used again") {
  const std::string fields = GENERATE(std::string("X-Request-Id: abc\r\n"), std::string());
  Fixture f(get("/p?q=1", fields + "K: v\r\n"));
  Request request(f.memory, f.client, f.options);
  REQUIRE_FALSE(request.read_path());
  const std::string id(request.id());
  request.begin_body();
  CHECK(f.client.buffer.empty());
  request.keep_head();
  f.receive(std::string(200, '#'));
  CHECK(request.head().method == "GET");
  CHECK(request.view().method == "GET");
  CHECK(request.view().target == "/p?q=1");
  CHECK(request.view().path == "/p");
  CHECK(request.view().query == "q=1");
  REQUIRE(request.view().header("k") != nullptr);
  CHECK(request.view().header("k")->value == "v");
  CHECK(request.id() == id);
}

TEST_CASE("A path in normal form is not the head's, and stays too") {
  Fixture f(get("/a/../p", ""));
  Request request(f.memory, f.client, f.options);
  REQUIRE_FALSE(request.read_path());
  request.begin_body();
  request.keep_head();
  f.receive(std::string(200, '#'));
  CHECK(request.view().path == "/p");
  CHECK(request.head().path == "/a/../p");
}

TEST_CASE("A path that two servers may read differently is refused") {
  Fixture f(get("/a%2Fb", ""));
  Request request(f.memory, f.client, f.options);
  const auto bad = request.read_path();
  REQUIRE(bad);
  CHECK(bad->reason == "encoded-delimiter");
}

TEST_CASE("Policies do not see what a client says of its certificate where that is verified") {
  const bool verified = GENERATE(true, false);
  Fixture f(get("/", "X-Forwarded-Client-Cert: Hash=1\r\nK: v\r\n"));
  f.options.identifies_clients = verified;
  const Request request(f.memory, f.client, f.options);
  CHECK((request.view().header("x-forwarded-client-cert") == nullptr) == verified);
  CHECK(request.view().header("k") != nullptr);
  CHECK(request.certificate_field().ours == verified);
}

TEST_CASE("Only one origin is an origin") {
  Fixture one(get("/", "Origin: https://a.example\r\n"));
  CHECK(Request(one.memory, one.client, one.options).origin() == "https://a.example");
  Fixture two(get("/", "Origin: https://a.example\r\nOrigin: https://b.example\r\n"));
  CHECK(Request(two.memory, two.client, two.options).origin().empty());
}

TEST_CASE("Only an upgrade to WebSocket is one that is wanted") {
  Fixture websocket(get("/", "Connection: upgrade\r\nUpgrade: WebSocket\r\n"));
  CHECK(Request(websocket.memory, websocket.client, websocket.options).wants_websocket());
  Fixture h2c(get("/", "Connection: upgrade\r\nUpgrade: h2c\r\n"));
  CHECK_FALSE(Request(h2c.memory, h2c.client, h2c.options).wants_websocket());
  Fixture unnamed(get("/", "Upgrade: websocket\r\n"));
  CHECK_FALSE(Request(unnamed.memory, unnamed.client, unnamed.options).wants_websocket());
}

}  // namespace
}  // namespace onceproxy::http
