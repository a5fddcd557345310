// Heads of upstreams' answers: as strict as those of requests.
#include "heads.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using Kind = Framing::Kind;
using namespace std::string_literals;

void check_refused(const std::string& text, std::string_view reason) {
  INFO(shown(text));
  const Response response(text);
  REQUIRE(response.bad);
  CHECK(response.bad->reason == reason);
  CHECK_FALSE(response.bad->detail.empty());
}

std::string status_line(std::string_view first) {
  return std::string(first) + "\r\n\r\n";
}

TEST_CASE("a status line is read with or without a reason") {
  struct Case {
    std::string first;
    int status;
    std::string reason;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK", 200, "OK"},
      {"HTTP/1.1 200 ", 200, ""},
      {"HTTP/1.1 200", 200, ""},
      {"HTTP/1.0 404 Not  Found", 404, "Not  Found"},
      {"HTTP/1.1 422 caf\xc3\xa9\t!", 422, "caf\xc3\xa9\t!"},
      {"HTTP/1.1 100 Continue", 100, "Continue"},
      {"HTTP/1.1 599 x", 599, "x"},
  };
  for (const Case& each : cases) {
    INFO(each.first);
    const Response response(status_line(each.first));
    REQUIRE_FALSE(response.bad);
    CHECK(response.head.status == each.status);
    CHECK(response.head.reason == each.reason);
  }
}

TEST_CASE("the challenge of a 407 is the service's, and belongs to the connection elsewhere") {
  const std::string field = "Proxy-Authenticate: Basic\r\n\r\n";
  const Response challenge("HTTP/1.1 407 No\r\n" + field);
  const Response other("HTTP/1.1 401 No\r\n" + field);
  REQUIRE_FALSE(challenge.bad);
  REQUIRE_FALSE(other.bad);
  CHECK(challenge.head.known.at(0) == Known::other);
  CHECK(other.head.known.at(0) == Known::hop_by_hop);
}

TEST_CASE("a malformed status line is refused") {
  for (const std::string& first :
       {"HTTP/1.1"s,           "HTTP/1.1 "s,        "HTTP/1.1 2"s,       "HTTP/1.1 20"s,
        "HTTP/1.1 2000"s,      "HTTP/1.1 20x OK"s,  "HTTP/1.1 -20 OK"s,  "HTTP/1.1 +20 OK"s,
        "HTTP/1.1 099 x"s,     "HTTP/1.1 000 x"s,   "HTTP/1.1  200 OK"s, "HTTP/1.1\t200 OK"s,
        "HTTP/1.1 200OK"s,     "HTTP/1.1 200\tOK"s, "HTTP/1.1 2 0 OK"s,  "HTTP/1.1 200 O\0K"s,
        "HTTP/1.1 200 O\rK"s,  "HTTP/1.1 600 x"s,   "HTTP/1.1 999"s,     "HTTP/1.1 200 \x1b[2J"s,
        "HTTP/1.1 200 OK\x7f"s}) {
    check_refused(status_line(first), "status-line");
  }
  for (const char* first :
       {"", "200 OK", "HTTP 200 OK", "http/1.1 200 OK", "HTTP/2 200 OK", "HTTP/2.0 200 OK",
        "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "ICY 200 OK", " HTTP/1.1 200 OK", "GET / HTTP/1.1"}) {
    check_refused(status_line(first), "version");
  }
  check_refused("HTTP/1.1 200 OK\n\n", "line-ending");
  check_refused("HTTP/1.1 200 OK\nX: a\r\n\r\n", "line-ending");
  check_refused("HTTP/1.1 200 OK\r\nX: a\n\r\n", "line-ending");
}

TEST_CASE("an answer's fields and framing are held to what a request's are") {
  const std::pair<std::string, std::string_view> cases[] = {
      {ok("Name\r\n"), "field-name"},
      {ok("Name : a\r\n"), "field-name"},
      {ok("X: a\r\n b\r\n"), "field-name"},
      {ok("X: a\x01\r\n"), "field-value"},
      {ok("X: a\rSet-Cookie: b\r\n"), "field-value"},
      {ok("X: a\0\r\n"s), "field-value"},
      {ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "framing"},
      {ok("Content-Length: 3\r\nContent-Length: 3\r\n"), "content-length"},
      {ok("Content-Length: 3, 3\r\n"), "content-length"},
      {ok("Content-Length: x\r\n"), "content-length"},
      {ok("Content-Length: -1\r\n"), "content-length"},
      {ok("Transfer-Encoding: gzip, chunked\r\n"), "transfer-encoding"},
      {ok("Transfer-Encoding: identity\r\n"), "transfer-encoding"},
      {ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "transfer-encoding"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer-encoding"},
      {ok("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n"), "connection"},
      {ok("Connection: content-length\r\nContent-Length: 3\r\n"), "connection"},
      {ok("Connection: date\r\n"), "connection"},
      // Where there is no body the framing must make sense all the same.
      {"HTTP/1.1 204 No Content\r\nContent-Length: 3, 3\r\n\r\n", "content-length"},
      {"HTTP/1.1 304 x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "framing"},
  };
  for (const auto& [text, reason] : cases) check_refused(text, reason);
  HeadLimits limits;
  limits.fields = 1;
  CHECK_FALSE(Response(ok("A: 1\r\n"), "GET", limits).bad);
  CHECK(Response(ok("A: 1\r\nB: 2\r\n"), "GET", limits).bad);
}

TEST_CASE("an answer's body ends where its head says") {
  struct Case {
    std::string text;
    std::string method;
    Kind kind;
    std::uint64_t length;
    bool keep_alive;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const auto with = [](int status, const std::string& fields) {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + fields + "\r\n";
  };
  const Case cases[] = {
      {ok("Content-Length: 7\r\n"), "GET", Kind::length, 7, true},
      {ok("Content-Length: 0\r\n"), "GET", Kind::none, 0, true},
      {ok("Content-Length: 7\r\nConnection: close\r\n"), "GET", Kind::length, 7, false},
      {ok(chunked), "POST", Kind::chunked, 0, true},
      {ok(""), "GET", Kind::until_close, 0, false},
      {ok("Connection: keep-alive\r\n"), "GET", Kind::until_close, 0, false},
      {"HTTP/1.0 200 OK\r\n\r\n", "GET", Kind::until_close, 0, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", "GET", Kind::length, 7, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n", "GET",
       Kind::length, 7, true},
      {with(404, ""), "GET", Kind::until_close, 0, false},
      // RFC 9112 6.3: no body, whatever the fields say.
      {ok("Content-Length: 7\r\n"), "HEAD", Kind::none, 0, true},
      {ok(chunked), "HEAD", Kind::none, 0, true},
      {ok(""), "HEAD", Kind::none, 0, true},
      {ok("Content-Length: 7\r\n"), "head", Kind::length, 7, true},
      {with(204, ""), "GET", Kind::none, 0, true},
      {with(204, "Content-Length: 7\r\n"), "POST", Kind::none, 0, true},
      {with(204, chunked), "POST", Kind::none, 0, true},
      {with(304, "Content-Length: 7\r\n"), "GET", Kind::none, 0, true},
      {with(304, chunked), "GET", Kind::none, 0, true},
      {with(205, ""), "GET", Kind::until_close, 0, false},
      {with(100, ""), "POST", Kind::none, 0, true},
      {with(101, "Content-Length: 7\r\n"), "GET", Kind::none, 0, true},
      {with(103, chunked), "GET", Kind::none, 0, true},
      {with(199, ""), "GET", Kind::none, 0, true},
  };
  for (const Case& each : cases) {
    INFO(each.method << " " << shown(each.text));
    const Response response(each.text, each.method);
    REQUIRE_FALSE(response.bad);
    CHECK(response.head.framing.kind == each.kind);
    CHECK(response.head.framing.length == each.length);
    CHECK(response.head.keep_alive == each.keep_alive);
    CHECK(response.head.size == each.text.size());
  }
}

TEST_CASE("how long a connection is kept is read from Keep-Alive") {
  struct Case {
    std::string fields;
    std::optional<std::chrono::seconds> announced;
  };
  using std::chrono::seconds;
  const Case cases[] = {
      {"", std::nullopt},
      {"Keep-Alive: timeout=5\r\n", seconds(5)},
      {"Connection: keep-alive\r\nkeep-alive: Timeout=5, max=100\r\n", seconds(5)},
      {"Keep-Alive: max=100 ,\ttimeout=5 \r\n", seconds(5)},
      {"Keep-Alive: timeout=0\r\n", seconds(0)},
      {"Keep-Alive: timeout=7\r\nKeep-Alive: timeout=5\r\nKeep-Alive: timeout=6\r\n", seconds(5)},
      {"Keep-Alive: 300\r\n", std::nullopt},
      {"Keep-Alive: timeout=\r\n", std::nullopt},
      {"Keep-Alive: timeout=-1\r\n", std::nullopt},
      {"Keep-Alive: timeout=5s\r\n", std::nullopt},
      {"Keep-Alive: timeout=99999999999\r\n", std::nullopt},
      {"Keep-Alive: timeout\r\n", std::nullopt},
      {"Keep-Alive: ,\r\n", std::nullopt},
      {"X-Keep-Alive: timeout=5\r\nTE: timeout=5\r\n", std::nullopt},
  };
  for (const Case& each : cases) {
    INFO(shown(each.fields));
    const Response response(ok(each.fields));
    REQUIRE_FALSE(response.bad);
    CHECK(announced_keep_alive(response.head) == each.announced);
  }
}

Response lenient(const std::string& text, std::string_view to_method = "GET") {
  HeadLimits limits;
  limits.lenient = true;
  return Response(text, to_method, limits);
}

TEST_CASE("answers of old services are accepted in lenient mode only") {
  struct Case {
    std::string text;
    Kind kind;
    std::uint64_t length;
    bool keep_alive;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\n", Kind::length, 2, true},
      {"HTTP/1.1 200\n\n", Kind::until_close, 0, false},
      {ok("Content-Length: 2\r\nContent-Length: 2\r\n"), Kind::length, 2, true},
      {ok("Content-Length: 2\r\nX-A: b\r\ncontent-length: 2,2\r\n"), Kind::length, 2, true},
      {ok("Content-Length: 2, 2\r\n"), Kind::length, 2, true},
      {ok("Content-Length: 2 ,\t2,2\r\n"), Kind::length, 2, true},
      {ok("Content-Length: 0, 0\r\n"), Kind::none, 0, true},
      {ok("Transfer-Encoding: identity\r\n"), Kind::until_close, 0, false},
      {ok("Transfer-Encoding: Identity\r\nContent-Length: 2\r\n"), Kind::length, 2, false},
      {ok("Content-Length: 2\r\nTransfer-Encoding: identity\r\n"), Kind::length, 2, false},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", Kind::until_close, 0, false},
  };
  for (const Case& each : cases) {
    INFO(shown(each.text));
    const Response response = lenient(each.text);
    REQUIRE_FALSE(response.bad);
    CHECK(response.head.status == 200);
    CHECK(response.head.framing.kind == each.kind);
    CHECK(response.head.framing.length == each.length);
    CHECK(response.head.keep_alive == each.keep_alive);
    const Response strict(each.text);
    REQUIRE(strict.bad);
    CHECK(strict.bad->line > 0);
  }
}

TEST_CASE("answers that two parsers could read differently are refused also in lenient mode") {
  const std::string heads[] = {
      // A line break in a field's value makes a head of both kinds of lines.
      "HTTP/1.1 200 OK\r\nLocation: /a\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\n\n",
      "HTTP/1.1 200 OK\r\nX-A: 1\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 2\r\n\n",
      "HTTP/1.1 200 OK\nX-A: 1\n\r\n",
      "HTTP/1.1 200 OK\n\r\n",
      "HTTP/1.1 200 OK\nX-A: 1\r2\n\n",
      "HTTP/1.1 200 OK\nX-A: 1\n 2\n\n",
      "HTTP/1.1 200 OK\nX-A : 1\n\n",
      "HTTP/1.1 200 OK\nX-A: \0\n\n"s,
      ok("Content-Length: 2, 3\r\n"),
      ok("Content-Length: 2, 02\r\n"),
      ok("Content-Length: 2,\r\n"),
      ok("Content-Length: ,2\r\n"),
      ok("Content-Length: 2 2\r\n"),
      ok("Content-Length: +2, +2\r\n"),
      ok("Content-Length: 2\r\nContent-Length: 3\r\n"),
      ok("Content-Length: 2\r\nContent-Length: 02\r\n"),
      ok("Content-Length: 2\r\nContent-Length:\r\n"),
      ok("Content-Length: 2, 2\r\nTransfer-Encoding: chunked\r\n"),
      ok("Transfer-Encoding: identity, chunked\r\n"),
      ok("Transfer-Encoding: chunked, identity\r\n"),
      ok("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
      ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
      ok("Transfer-Encoding: identity\r\nTransfer-Encoding: identity\r\n"),
      ok("Transfer-Encoding: \"identity\"\r\n"),
      ok("Transfer-Encoding: identity;q=1\r\n"),
      ok("Transfer-Encoding: gzip\r\n"),
      ok("Transfer-Encoding:\r\n"),
      "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n",
  };
  for (const std::string& text : heads) {
    INFO(shown(text));
    CHECK(lenient(text).bad);
    CHECK(Response(text).bad);
  }
}

TEST_CASE("lenient mode reads valid answers as strict mode does") {
  for (const std::string& text :
       {ok("Content-Length: 2\r\nX-A: b\r\n"), ok("Transfer-Encoding: chunked\r\n"),
        ok("Connection: close\r\n"), std::string("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n")}) {
    INFO(shown(text));
    const Response strict(text);
    const Response same = lenient(text);
    REQUIRE_FALSE(strict.bad);
    REQUIRE_FALSE(same.bad);
    CHECK(same.head.framing.kind == strict.head.framing.kind);
    CHECK(same.head.framing.length == strict.head.framing.length);
    CHECK(same.head.keep_alive == strict.head.keep_alive);
    CHECK(same.head.known == strict.head.known);
    CHECK(same.head.tidy);
  }
}

TEST_CASE("a refusal names the line") {
  CHECK(Response("HTTP/1.1 20 OK\r\n\r\n").bad->line == 1);
  CHECK(Response(ok("X-A: 1\r\nContent-Length: x\r\n")).bad->line == 3);
  CHECK(Response("HTTP/1.1 200 OK\r\nX-A: 1\n\r\n").bad->line == 2);
  // Of two lines that contradict each other neither is the one.
  CHECK(Response(ok("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")).bad->line == 0);
}

}  // namespace
}  // namespace onceproxy::http
