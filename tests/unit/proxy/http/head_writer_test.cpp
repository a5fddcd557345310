// Heads of requests as they are written to the upstream.
#include "proxy/http/head_writer.hpp"

#include "written_heads.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using gate::Decision;

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
      // Clients cannot forge fields that the upstream may trust.
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

TEST_CASE("a written request head is read back as the same request") {
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

TEST_CASE(
    "a client's field about its certificate is forwarded only if no listener checks certificates") {
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
