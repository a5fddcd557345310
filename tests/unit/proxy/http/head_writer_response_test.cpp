// Heads of answers as they are written to the client.
#include "proxy/http/head_writer.hpp"
#include "written_heads.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using gate::Decision;

TEST_CASE("an answer goes on as it came, dated, without its connection's fields") {
  struct Case {
    std::string text, out;
  };
  const std::string d = "Date: " + std::string(date) + "\r\n";
  const Case cases[] = {
      {ok("Content-Length: 3\r\nX: 1\r\n"),
       "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: 1\r\n" + d + "\r\n"},
      {ok("Date: x\r\nContent-Length: 3\r\n"),
       "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\n"},
      {"HTTP/1.0 201\r\nContent-Length: 0\r\n\r\n",
       "HTTP/1.1 201 \r\nContent-Length: 0\r\n" + d + "\r\n"},
      {ok("Transfer-Encoding: chunked\r\nTrailer: x\r\nKeep-Alive: 5\r\nConnection: x-a, close\r\n"
          "X-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nUpgrade: h2c\r\n"
          "Onceproxy-Decision: replayed\r\nX-Envoy-Upstream-Service-Time: 4\r\n"),
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
       "X-Envoy-Upstream-Service-Time: 4\r\n" +
           d + "\r\n"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 30\r\nETag: \"x\"\r\n\r\n",
       "HTTP/1.1 304 Not Modified\r\nContent-Length: 30\r\nETag: \"x\"\r\n" + d + "\r\n"},
      // RFC 9110 8.6, RFC 9112 6.1: neither with 204.
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX: 1\r\n\r\n",
       "HTTP/1.1 204 No Content\r\nX: 1\r\n" + d + "\r\n"},
      {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 204 No Content\r\n" + d + "\r\n"},
  };
  for (const Case& each : cases) {
    INFO(shown(each.text));
    CHECK(relayed(Response(each.text)) == each.out);
  }
}

TEST_CASE("an answer is framed anew where its own framing does not reach the client") {
  const Response response(ok("Content-Length: 3\r\nX: 1\r\nDate: x\r\n"));
  const Response chunked(ok("Transfer-Encoding: chunked\r\nDate: x\r\n"));
  CHECK(relayed(response, client(), BodyFraming::length, 70'000) ==
        "HTTP/1.1 200 OK\r\nX: 1\r\nDate: x\r\nContent-Length: 70000\r\n\r\n");
  CHECK(relayed(chunked, client(), BodyFraming::length, 0) ==
        "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n");
  CHECK(relayed(response, client(), BodyFraming::chunked) ==
        "HTTP/1.1 200 OK\r\nX: 1\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  ClientSide old = client();
  old.minor_version = 0;
  old.keep_alive = false;
  CHECK(relayed(chunked, old, BodyFraming::until_close) ==
        "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\n");
  // To HEAD the framing stays as it came, but HTTP/1.0 knows no transfer coding.
  CHECK_FALSE(has(relayed(chunked, old), "chunked"));
}

TEST_CASE("the client is told when its connection does not go on as it expects") {
  const Response response(ok("Content-Length: 0\r\nDate: x\r\nConnection: close\r\n"));
  for (const auto& [minor, keep_alive, line] :
       {std::tuple(1, true, ""), std::tuple(1, false, "Connection: close\r\n"),
        std::tuple(0, true, "Connection: keep-alive\r\n"),
        std::tuple(0, false, "Connection: close\r\n")}) {
    ClientSide side = client();
    side.minor_version = minor;
    side.keep_alive = keep_alive;
    CHECK(relayed(response, side) ==
          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: x\r\n" + std::string(line) + "\r\n");
  }
}

TEST_CASE("an answer to a covered request carries the decision and the upstream's time") {
  const Response response(
      ok("Content-Length: 0\r\nDate: x\r\nX-Envoy-Upstream-Service-Time: 9\r\n"
         "ONCEPROXY-DECISION: replayed\r\n"));
  CHECK(relayed(response, client(), BodyFraming::as_it_came, 0,
                DecisionFields{Decision::forwarded, 17ms}) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: x\r\nOnceproxy-Decision: forwarded\r\n"
        "x-envoy-upstream-service-time: 17\r\n\r\n");
  CHECK(relayed(response, client(), BodyFraming::as_it_came, 0,
                DecisionFields{Decision::upstream_error, -1ms}) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: x\r\n"
        "Onceproxy-Decision: upstream-error\r\n\r\n");
}

TEST_CASE("an interim answer has neither framing nor persistence") {
  const Response hints(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\nContent-Length: 3\r\n"
      "Onceproxy-X: 1\r\n\r\n");
  std::string out;
  write_interim_head(hints.head, out);
  CHECK(out == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");

  const Response switching(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Transfer-Encoding: chunked\r\nSec-WebSocket-Accept: k\r\n\r\n");
  out.clear();
  write_switch_head(switching.head, "r-1", out);
  CHECK(out ==
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: k\r\nx-request-id: r-1\r\n"
        "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  out.clear();
  write_switch_head(hints.head, "r-1", out);
  CHECK_FALSE(has(out, "Upgrade"));
}

TEST_CASE("every answer has the request's id, and no other") {
  ClientSide side = client();
  side.request_id = "r-1";
  const Response response(ok("X-Request-Id: theirs\r\nContent-Length: 0\r\nDate: x\r\n"));
  CHECK(relayed(response, side) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: x\r\nx-request-id: r-1\r\n\r\n");
  std::string out;
  write_answer({204, "", "", true}, side, std::nullopt, out);
  CHECK(out == "HTTP/1.1 204 No Content\r\nx-request-id: r-1\r\n\r\n");
}

TEST_CASE("an answer that was accepted in lenient mode is written in strict form") {
  HeadLimits lenient;
  lenient.lenient = true;
  const Response bare("HTTP/1.1 200 OK\nX-A:1\nX-B:  2 \nDate: x\nContent-Length: 3, 3\n\n", "GET",
                      lenient);
  REQUIRE_FALSE(bare.bad);
  CHECK(relayed(bare) ==
        "HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nDate: x\r\nContent-Length: 3\r\n\r\n");
  const Response twice(ok("Content-Length: 3\r\nDate: x\r\ncontent-length: 3\r\nX-A: 1\r\n"), "GET",
                       lenient);
  REQUIRE_FALSE(twice.bad);
  CHECK(relayed(twice) == "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: x\r\nX-A: 1\r\n\r\n");
  const Response identity(ok("Date: x\r\nTransfer-Encoding: identity\r\nX-A: 1\r\n"), "GET",
                          lenient);
  REQUIRE_FALSE(identity.bad);
  CHECK(relayed(identity, client(), BodyFraming::chunked) ==
        "HTTP/1.1 200 OK\r\nDate: x\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("an upstream cannot split an answer") {
  // Whatever would end a line early is refused before anything could be written.
  for (const char* fields :
       {"X: a\rSet-Cookie: evil\r\n", "X: a\nSet-Cookie: evil\r\n", "X\r: a\r\n",
        "X: a\r\n\rHTTP/1.1 200 OK\r\n", "X: a\n\nHTTP/1.1 200 OK\r\n"}) {
    CHECK(Response(ok(fields)).bad);
  }
  CHECK(Response("HTTP/1.1 200 OK\rX: 1\r\n\r\n").bad);
}

std::string answered(const gate::Answer& answer, const ClientSide& side,
                     std::optional<Decision> decision = std::nullopt) {
  std::string out;
  write_answer(answer, side, decision, out);
  return out;
}

TEST_CASE("an answer of the proxy's own is dated, framed and says what was decided") {
  const std::string d = "Date: " + std::string(date) + "\r\n";
  gate::Answer answer{409, "X: 1\r\n", "body", false};
  CHECK(answered(answer, client(), Decision::in_flight) ==
        "HTTP/1.1 409 Conflict\r\nX: 1\r\n" + d +
            "Content-Length: 4\r\nOnceproxy-Decision: in-flight\r\n\r\nbody");
  CHECK(answered(answer, client()) ==
        "HTTP/1.1 409 Conflict\r\nX: 1\r\n" + d + "Content-Length: 4\r\n\r\nbody");
  answer.dated = true;
  answer.body.clear();
  answer.status = 299;
  CHECK(answered(answer, client()) == "HTTP/1.1 299 \r\nX: 1\r\nContent-Length: 0\r\n\r\n");
  ClientSide side = client();
  side.keep_alive = false;
  CHECK(answered(answer, side) ==
        "HTTP/1.1 299 \r\nX: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  side = client();
  side.minor_version = 0;
  CHECK(answered(answer, side) ==
        "HTTP/1.1 299 \r\nX: 1\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("an answer without a body says nothing of one's length") {
  for (const int status : {204, 304}) {
    INFO(status);
    const std::string out = answered({status, "", "ignored", true}, client());
    CHECK_FALSE(has(out, "Content-Length"));
    CHECK(out.ends_with("\r\n\r\n"));
  }
  ClientSide side = client();
  side.to_head = true;
  CHECK(answered({200, "", "body", true}, side) == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  // A stored answer to HEAD has no body whose length could be told.
  CHECK(answered({200, "", "", true}, side) == "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_CASE("a chunk has its size in front") {
  std::string out;
  write_chunk("a", out);
  write_chunk(std::string(0x1a2b, 'x'), out);
  out += last_chunk;
  CHECK(out == "1\r\na\r\n1a2b\r\n" + std::string(0x1a2b, 'x') + "\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace onceproxy::http
