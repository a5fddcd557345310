#include "proxy/http/head_writer.hpp"

#include "heads.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using gate::Decision;

constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string passed(const Request& request, bool upgrade = false) {
  REQUIRE_FALSE(request.bad);
  std::string out;
  write_request_head(request.head, {upgrade, request.head.expects_continue}, "upstream:8081", {},
                     out);
  return out;
}

CoveredFields covered_fields() {
  CoveredFields fields;
  fields.forwarded.request_id = "r-1";
  fields.forwarded.client = "10.0.0.9";
  fields.response_timeout = 30s;
  return fields;
}

std::string covered(const Request& request, const CoveredFields& fields = covered_fields()) {
  REQUIRE_FALSE(request.bad);
  std::string out;
  write_covered_request_head(request.head, fields, "upstream:8081", out);
  return out;
}

ClientSide client() {
  ClientSide side;
  side.date = date;
  return side;
}

std::string relayed(const Response& response, const ClientSide& side = client(),
                    BodyFraming framing = BodyFraming::as_it_came, std::size_t bytes = 0,
                    const std::optional<DecisionFields>& decision = std::nullopt) {
  REQUIRE_FALSE(response.bad);
  std::string out;
  write_response_head(response.head, side, framing, bytes, decision, out);
  return out;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What every covered request carries behind its own fields.
constexpr std::string_view covered_tail =
    "x-request-id: r-1\r\nx-forwarded-for: 10.0.0.9\r\nx-forwarded-proto: http\r\n"
    "x-forwarded-host: h\r\nx-envoy-expected-rq-timeout-ms: 30000\r\n\r\n";

TEST_CASE("a request that nobody covers goes on as it came, but for its connection's fields") {
  struct Case {
    std::string fields, left;
  };
  const Case cases[] = {
      {"", ""},
      {"X-A:1\r\nx-b:   2\r\n", "X-A:1\r\nx-b:   2\r\n"},
      {"X-A: caf\xc3\xa9\r\n", "X-A: caf\xc3\xa9\r\n"},
      // Blanks behind the last value are not missed; an empty one stays.
      {"X-A: 1 \t\r\nX-B: 2\t \r\n", "X-A: 1 \t\r\nX-B: 2\r\n"},
      {"X-A:\r\n", "X-A:\r\n"},
      {"X-A: \t \r\n", "X-A:\r\n"},
      {"X-A:\r\nX-B: \r\nX-C:\r\n", "X-A:\r\nX-B: \r\nX-C:\r\n"},
      // First, middle, last, all.
      {"Keep-Alive: 5\r\nX-A: 1\r\n", "X-A: 1\r\n"},
      {"X-A: 1\r\nTE: trailers\r\nX-B: 2\r\n", "X-A: 1\r\nX-B: 2\r\n"},
      {"X-A: 1\r\nProxy-Connection: x\r\n", "X-A: 1\r\n"},
      {"X-A:\r\nTrailer: x\r\n", "X-A:\r\n"},
      {"Connection: close\r\nTE:\r\nTrailer: X\r\nUpgrade: h2c\r\n", ""},
      {"Proxy-Authorization: Basic x\r\nProxy-Authenticate: y\r\n", ""},
      {"Connection: x-a, X-C\r\nX-A: 1\r\nX-B: 2\r\nx-c: 3\r\nX-A: 4\r\n", "X-B: 2\r\n"},
      {"X-A: 1\r\nConnection: keep-alive, X-A\r\n", ""},
      // Nobody forges what the upstream may believe.
      {"Onceproxy-Fingerprint: 00\r\nX-A: 1\r\nonceproxy-fence: 9\r\nOnceproxy-X: 1\r\n",
       "X-A: 1\r\n"},
      // Everything else is none of the proxy's business.
      {"Expect: 100-continue\r\nX-Request-Id: 1\r\nX-Forwarded-For: 1\r\nDate: x\r\n",
       "Expect: 100-continue\r\nX-Request-Id: 1\r\nX-Forwarded-For: 1\r\nDate: x\r\n"},
      {"Content-Length: 3\r\n", "Content-Length: 3\r\n"},
      {"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n"},
      {"Content-Length: 3\r\nConnection: close, content\r\n", "Content-Length: 3\r\n"},
  };
  for (const Case& each : cases) {
    INFO(shown(each.fields));
    const Request request(get(each.fields));
    CHECK(passed(request) == "GET / HTTP/1.1\r\nHost: h\r\n" + each.left + "\r\n");
  }
}

TEST_CASE("what is written is read again as the same request") {
  for (const std::string& text :
       {get("X-A:\r\nTE: x\r\nX-B: \t\r\nX-C: 1\r\nConnection: close\r\n"),
        get("X-A: 1\r\nTransfer-Encoding: chunked\r\nConnection: x-a\r\n")}) {
    const Request first(text);
    const Request again(passed(first));
    REQUIRE_FALSE(again.bad);
    CHECK(again.head.framing.kind == first.head.framing.kind);
    CHECK(find_head_end(again.text) == again.text.size());
    CHECK(passed(again) == again.text);
  }
}

TEST_CASE("a request goes on in origin form and as HTTP/1.1 with a Host") {
  struct Case {
    std::string text, first;
  };
  const Case cases[] = {
      {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"GET /a HTTP/1.0\r\nHost: h\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"GET /a HTTP/1.0\r\nX: 1\r\n\r\n", "GET /a HTTP/1.1\r\nHost: upstream:8081\r\nX: 1\r\n\r\n"},
      {"GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.1\r\nHost: upstream:8081\r\n\r\n"},
      {"GET http://h:8/a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h:8\r\n\r\n"},
      {"GET http://h:8/a HTTP/1.0\r\nHost: h:8\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h:8\r\n\r\n"},
  };
  for (const Case& each : cases) {
    INFO(shown(each.text));
    const Request request(each.text);
    CHECK(passed(request) == each.first);
    CHECK(covered(request).starts_with(each.first.substr(0, each.first.size() - 2)));
    CHECK_FALSE(Request(passed(request)).bad);
  }
}

TEST_CASE("Upgrade goes on only where it was asked for") {
  const Request request(
      get("Connection: Upgrade, X-A\r\nX-A: 1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n"));
  CHECK(passed(request) == "GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\n\r\n");
  CHECK(passed(request, true) ==
        "GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\n"
        "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("a covered request says who asked, and how long its answer may take") {
  CHECK(covered(Request(get("X-A: 1\r\n"))) ==
        "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n" + std::string(covered_tail));
  CoveredFields fields = covered_fields();
  fields.response_timeout = 1500ms;
  fields.fence = 18'446'744'073'709'551'615u;
  fields.fingerprint.emplace();
  for (std::size_t i = 0; i < 32; ++i) {
    fields.fingerprint->bytes[i] = static_cast<std::uint8_t>(i * 8 + 7);
  }
  const std::string out = covered(Request(get("")), fields);
  CHECK(has(out, "\r\nx-envoy-expected-rq-timeout-ms: 1500\r\n"));
  CHECK(has(out, "\r\nOnceproxy-Fingerprint: " + fields.fingerprint->hex() + "\r\n"));
  CHECK(out.ends_with("\r\nOnceproxy-Fence: 18446744073709551615\r\n\r\n"));
}

TEST_CASE("a covered request's own fields are replaced where the proxy knows better") {
  const std::string out = covered(Request(
      get("Onceproxy-Fingerprint: 00\r\nonceproxy-fence: 1\r\nX-Request-Id: mine\r\n"
          "x-request-id: other\r\nX-Envoy-Expected-Rq-Timeout-Ms: 1\r\nExpect: 100-continue\r\n"
          "Transfer-Encoding: chunked\r\nConnection: close, x-a\r\nX-A: 1\r\nTE: trailers\r\n"
          "Upgrade: h2c\r\nX-Kept: 1\r\nTrailer: x\r\n")));
  CHECK(out == "GET / HTTP/1.1\r\nHost: h\r\nX-Kept: 1\r\nContent-Length: 0\r\n" +
                   std::string(covered_tail));
}

TEST_CASE("the client is appended to whom the request came from before") {
  struct Case {
    std::string fields, line;
  };
  const Case cases[] = {
      {"", "10.0.0.9"},
      {"X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1, 10.0.0.9"},
      {"X-Forwarded-For: 1.1.1.1,2.2.2.2\r\nX-A: 1\r\nx-forwarded-for: ::1\r\n",
       "1.1.1.1,2.2.2.2, ::1, 10.0.0.9"},
      {"X-Forwarded-For:\r\nX-Forwarded-For: 3\r\nX-Forwarded-For: \t\r\n", "3, 10.0.0.9"},
      {"X-Forwarded-For:\r\n", "10.0.0.9"},
  };
  for (const Case& each : cases) {
    INFO(shown(each.fields));
    const std::string out = covered(Request(get(each.fields)));
    const Request again(out);
    REQUIRE_FALSE(again.bad);
    int seen = 0;
    for (std::size_t i = 0; i < again.head.fields.size(); ++i) {
      if (again.head.known[i] != Known::forwarded_for) continue;
      ++seen;
      CHECK(again.head.fields[i].value == each.line);
    }
    CHECK(seen == 1);
  }
}

TEST_CASE("scheme and host that a proxy in front has named are kept") {
  const std::string out =
      covered(Request(get("X-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\n")));
  CHECK(has(out, "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\n"));
  CHECK_FALSE(has(out, "x-forwarded-proto"));
  CHECK_FALSE(has(out, "x-forwarded-host"));
  CHECK(has(covered(Request("GET / HTTP/1.0\r\n\r\n")), "\r\nx-forwarded-host: upstream:8081\r\n"));
  CHECK(has(covered(Request("GET http://h:8 HTTP/1.0\r\n\r\n")), "\r\nx-forwarded-host: h:8\r\n"));
}

TEST_CASE("a covered request's body is announced by the length that is sent") {
  struct Case {
    std::string method, fields;
    std::size_t bytes;
    std::string_view length;
  };
  const Case cases[] = {
      {"POST", "Content-Length: 5\r\n", 5, "\r\nContent-Length: 5\r\n"},
      {"POST", "Transfer-Encoding: chunked\r\n", 70'000, "\r\nContent-Length: 70000\r\n"},
      {"POST", "Transfer-Encoding: chunked\r\n", 0, "\r\nContent-Length: 0\r\n"},
      {"DELETE", "Transfer-Encoding: chunked\r\n", 0, "\r\nContent-Length: 0\r\n"},
      {"POST", "", 0, "\r\nContent-Length: 0\r\n"},
      {"PUT", "", 0, "\r\nContent-Length: 0\r\n"},
      {"PATCH", "Content-Length: 0\r\n", 0, "\r\nContent-Length: 0\r\n"},
      {"GET", "Content-Length: 5\r\n", 5, "\r\nContent-Length: 5\r\n"},
      {"GET", "", 0, ""},
      {"DELETE", "", 0, ""},
  };
  for (const Case& each : cases) {
    INFO(each.method << " " << each.fields << each.bytes);
    CoveredFields fields = covered_fields();
    fields.body_bytes = each.bytes;
    const std::string out =
        covered(Request(each.method + " / HTTP/1.1\r\nHost: h\r\n" + each.fields + "\r\n"), fields);
    const Request again(out);
    REQUIRE_FALSE(again.bad);
    CHECK(again.head.framing.length == each.bytes);
    CHECK_FALSE(has(out, "Transfer-Encoding"));
    CHECK(has(out, "Content-Length") == !each.length.empty());
    CHECK(has(out, each.length));
  }
}

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

TEST_CASE("a request no policy covers is told who asks, where all are") {
  const Request request(
      get("X-Request-Id: theirs\r\nX-A: 1\r\nX-Forwarded-For: 1.2.3.4\r\n"
          "x-forwarded-for: 5.6.7.8\r\n"));
  ConnectionFields kept;
  std::string out;
  write_request_head(request.head, kept, "h", {}, out);
  CHECK(out == request.text);
  kept.forwarded = ForwardedFields{"r-1", "10.0.0.9", false};
  out.clear();
  write_request_head(request.head, kept, "h", {}, out);
  CHECK(out ==
        "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-request-id: r-1\r\n"
        "x-forwarded-for: 1.2.3.4, 5.6.7.8, 10.0.0.9\r\nx-forwarded-proto: http\r\n\r\n");
  const Request known(get("X-Forwarded-Proto: https\r\n"));
  kept.forwarded->secure = true;
  out.clear();
  write_request_head(known.head, kept, "h", {}, out);
  CHECK(out ==
        "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\nx-request-id: r-1\r\n"
        "x-forwarded-for: 10.0.0.9\r\n\r\n");
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

TEST_CASE("what was taken leniently is written as strict readers want it") {
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

TEST_CASE(
    "the request's place in a trace is told instead of what it brought, or as it brought it") {
  const Request request(get("traceparent: old\r\nX-A: 1\r\nTraceState: s\r\nX-B: 2\r\n"));
  const auto both = [&](const TraceFields& trace) {
    std::string passed;
    write_request_head(request.head, {}, "upstream:8081", trace, passed);
    CoveredFields fields = covered_fields();
    fields.trace = trace;
    return std::pair{passed, covered(request, fields)};
  };
  for (const std::string& out : {both({}).first, both({}).second}) {
    CHECK(has(out, "traceparent: old\r\nX-A: 1\r\nTraceState: s\r\nX-B: 2\r\n"));
    CHECK_FALSE(has(out.substr(out.find("X-B")), "traceparent"));
  }
  for (const std::string& out : {both({"new", true}).first, both({"new", true}).second}) {
    CHECK(has(out, "Host: h\r\nX-A: 1\r\nTraceState: s\r\nX-B: 2\r\n"));
    CHECK(out.ends_with("\r\ntraceparent: new\r\n\r\n"));
  }
  for (const std::string& out : {both({"new", false}).first, both({"new", false}).second}) {
    CHECK(has(out, "Host: h\r\nX-A: 1\r\nX-B: 2\r\n"));
    CHECK(out.ends_with("\r\ntraceparent: new\r\n\r\n"));
  }
}

TEST_CASE("a chunk has its size in front") {
  std::string out;
  write_chunk("a", out);
  write_chunk(std::string(0x1a2b, 'x'), out);
  out += last_chunk;
  CHECK(out == "1\r\na\r\n1a2b\r\n" + std::string(0x1a2b, 'x') + "\r\n0\r\n\r\n");
}

TEST_CASE("what a client says of its certificate goes on only where nobody looks at it here") {
  const Request request("GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-Client-Cert: Hash=00\r\n\r\n");
  REQUIRE_FALSE(request.bad);
  const auto passed_with = [&](CertificateField field) {
    std::string out;
    write_request_head(request.head, {false, false, field}, "upstream:8081", {}, out);
    return out;
  };
  CHECK(has(passed_with({}), "X-Forwarded-Client-Cert: Hash=00\r\n"));
  CHECK_FALSE(has(passed_with({true, ""}), "lient-"));
  const std::string told = passed_with({true, "Hash=ff"});
  CHECK_FALSE(has(told, "Hash=00"));
  CHECK(has(told, "x-forwarded-client-cert: Hash=ff\r\n"));
  CoveredFields fields = covered_fields();
  fields.certificate = {true, "Hash=ff"};
  fields.forwarded.secure = true;
  const std::string out = covered(request, fields);
  CHECK_FALSE(has(out, "Hash=00"));
  CHECK(has(out, "x-forwarded-client-cert: Hash=ff\r\n"));
  CHECK(has(out, "x-forwarded-proto: https\r\n"));
}

}  // namespace
}  // namespace onceproxy::http
