// The fields of requests: how they are spelt, how they frame a body, and what Connection may name.
#include "heads.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using namespace std::string_literals;
using Kind = Framing::Kind;

TEST_CASE("a field that is not name, colon and value is refused") {
  const Refused cases[] = {
      {get("Name\r\n"), "field-name"},
      {get(":value\r\n"), "field-name"},
      {get("Name : value\r\n"), "field-name"},
      {get("Name\t: value\r\n"), "field-name"},
      {get(" Name: value\r\n"), "field-name"},
      {get("X: a\r\n b\r\n"), "field-name"},   // obs-fold
      {get("X: a\r\n\tb\r\n"), "field-name"},  // obs-fold
      {get("X: a\r\n \r\n"), "field-name"},    // obs-fold of nothing
      {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", "field-name"},
      {get("Na me: value\r\n"), "field-name"},
      {get("Na(me: value\r\n"), "field-name"},
      {get("Na\"me: value\r\n"), "field-name"},
      {get("caf\xc3\xa9: value\r\n"), "field-name"},
      {get("Na\0me: value\r\n"s), "field-name"},
      {get("\xef\xbb\xbfName: value\r\n"), "field-name"},
      {get("Name\r: value\r\n"), "field-name"},
      {get("X: a\0b\r\n"s), "field-value"},
      {get("X: a\x01\r\n"), "field-value"},
      {get("X: a\x1f\r\n"), "field-value"},
      {get("X: a\x7f\r\n"), "field-value"},
      {get("X: a\rb\r\n"), "field-value"},
      {get("X: a\r\r\n"), "field-value"},
      {get("X: \x08\r\n"), "field-value"},
      {get("X: a\nY: b\r\n"), "line-ending"},
      {get("X: a\n"), "line-ending"},
      {"GET / HTTP/1.1\nHost: h\n\n", "line-ending"},
      {"GET / HTTP/1.1\nHost: h\r\n\r\n", "line-ending"},
      {"GET / HTTP/1.1\r\nHost: h\n\r\n", "line-ending"},
      {"GET / HTTP/1.1\r\nHost: h\r\n\n", "line-ending"},
      {"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "line-ending"},
      // What find_head_end never gives, and must be refused all the same.
      {"GET / HTTP/1.1\r\nHost: h\r\n", "line-ending"},
      {"GET / HTTP/1.1", "line-ending"},
      {"\r", "line-ending"},
  };
  for (const Refused& refused : cases) check_refused(refused);
  for (const char* field : {"X:", "X: ", "X:a", "X: \ta\t ", "X: caf\xc3\xa9", "X: \xff", "X: a:b",
                            "X: a\tb", "X: \"", "!#$%&'*+-.^_`|~: x", "0: x"}) {
    check_taken(get(field + "\r\n"s));
  }
}

TEST_CASE("a body's framing can be read in one way only") {
  const std::string old = "POST / HTTP/1.0\r\nHost: h\r\n";
  const Refused cases[] = {
      {get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "framing"},
      {get("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), "framing"},
      {get("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), "framing"},
      {get("Content-Length: 3\r\nContent-Length: 3\r\n"), "content-length"},
      {get("Content-Length: 3\r\ncontent-length: 4\r\n"), "content-length"},
      {get("Content-Length: 0\r\nContent-Length: 0\r\n"), "content-length"},
      {get("Content-Length: 3, 3\r\n"), "content-length"},
      {get("Content-Length: 3,\r\n"), "content-length"},
      {get("Content-Length:\r\n"), "content-length"},
      {get("Content-Length: +3\r\n"), "content-length"},
      {get("Content-Length: -3\r\n"), "content-length"},
      {get("Content-Length: 0x3\r\n"), "content-length"},
      {get("Content-Length: 3 \xc2\xa0\r\n"), "content-length"},
      {get("Content-Length: 3.0\r\n"), "content-length"},
      {get("Content-Length: 1e3\r\n"), "content-length"},
      {get("Content-Length: 3 3\r\n"), "content-length"},
      {get("Content-Length: \"3\"\r\n"), "content-length"},
      {get("Content-Length: 9223372036854775808\r\n"), "content-length"},
      {get("Content-Length: 18446744073709551616\r\n"), "content-length"},
      {get("Content-Length: 99999999999999999999999999\r\n"), "content-length"},
      {get("Content-Length : 3\r\n"), "field-name"},
      {get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: gzip\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: identity\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: gzip, chunked\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunked, identity\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunked, chunked\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunked,\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: ,chunked\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: xchunked\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunkedx\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: \"chunked\"\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunked;x=1\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding: chunked \x0b\r\n"), "field-value"},
      {get("Transfer-Encoding: \x0c chunked\r\n"), "field-value"},
      {get("Transfer-Encoding:\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding:\r\n chunked\r\n"), "transfer-encoding"},
      {get("Transfer-Encoding : chunked\r\n"), "field-name"},
      {get("Transfer-Encoding: gzip\r\nContent-Length: 3\r\n"), "transfer-encoding"},
      {old + "Transfer-Encoding: chunked\r\n\r\n", "transfer-encoding"},
      {old + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "framing"},
  };
  for (const Refused& refused : cases) check_refused(refused);

  struct Taken {
    std::string fields;
    Kind kind;
    std::uint64_t length = 0;
  };
  const Taken taken[] = {
      {"", Kind::none},
      {"Content-Length: 0\r\n", Kind::none},
      {"Content-Length: 000\r\n", Kind::none},
      {"Content-Length:3\r\n", Kind::length, 3},
      {"content-length: \t 3 \t\r\n", Kind::length, 3},
      {"CONTENT-LENGTH: 007\r\n", Kind::length, 7},
      {"Content-Length: 999999999999999999\r\n", Kind::length, 999'999'999'999'999'999},
      {"Transfer-Encoding: chunked\r\n", Kind::chunked},
      {"transfer-encoding:\tCHUNKED \r\n", Kind::chunked},
      {"Transfer-Encodings: gzip\r\nContent-Length-: 3\r\n", Kind::none},
  };
  for (const Taken& each : taken) {
    INFO(each.fields);
    const Request request(get(each.fields));
    REQUIRE_FALSE(request.bad);
    CHECK(request.head.framing.kind == each.kind);
    CHECK(request.head.framing.length == each.length);
  }
}

TEST_CASE("Connection says whether the connection stays open") {
  struct Case {
    int minor;
    std::string fields;
    bool keep_alive;
  };
  const Case cases[] = {
      {1, "", true},
      {1, "Connection: close\r\n", false},
      {1, "Connection: CLOSE\r\n", false},
      {1, "Connection: keep-alive\r\n", true},
      {1, "Connection: keep-alive, close\r\n", false},
      {1, "Connection: x\r\nConnection: ,\tclose ,\r\n", false},
      {1, "Connection: closed\r\n", true},
      {1, "Proxy-Connection: close\r\n", true},
      {1, "Connection:\r\n", true},
      {0, "", false},
      {0, "Connection: keep-alive\r\n", true},
      {0, "Connection: Keep-Alive, close\r\n", false},
      {0, "Proxy-Connection: keep-alive\r\n", false},
  };
  for (const Case& each : cases) {
    INFO(each.minor << " " << each.fields);
    const Request request("GET / HTTP/1." + std::to_string(each.minor) + "\r\nHost: h\r\n" +
                          each.fields + "\r\n");
    REQUIRE_FALSE(request.bad);
    CHECK(request.head.keep_alive == each.keep_alive);
  }
}

TEST_CASE("Connection may name no field that is for everybody") {
  for (const char* name :
       {"Host", "Content-Length", "content-type", "Content-Encoding", "Transfer-Encoding",
        "transfer-encoding", "Authorization", "Cookie", "Idempotency-Key", "Forwarded",
        "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Client-Cert", "Onceproxy-Fingerprint",
        "onceproxy-x", "X-Request-Id", "x-envoy-anything", "Expect", "Date"}) {
    check_refused({get("Connection: " + std::string(name) + "\r\n"), "connection"});
    check_refused({get("Connection: close ,\t" + std::string(name) + "\t, x\r\n"), "connection"});
    check_refused(
        {get("Connection: x\r\nA: b\r\nConnection: " + std::string(name) + "\r\n"), "connection"});
  }
  // Also where the field is there, and frames the body.
  check_refused(
      {get("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n"), "connection"});
  for (const char* names : {"X-Hop", "te", "Upgrade", "Keep-Alive, X-A, X-B", "HTTP2-Settings",
                            "Contents", "Hos", "Cookie2", "X-Forwarded", "Once", "\"Host\""}) {
    check_taken(get("Connection: " + std::string(names) + "\r\n"));
  }
}

TEST_CASE("fields that Connection names are marked wherever they stand") {
  const Request request(
      get("X-A: 1\r\nX-B: 2\r\nConnection: x-a, X-C\r\nx-c: 3\r\nX-a: 4\r\nX-AA: 5\r\n"));
  REQUIRE_FALSE(request.bad);
  std::string dropped;
  for (std::size_t i = 0; i < request.head.fields.size(); ++i) {
    if (request.head.dropped(i)) dropped += request.head.fields[i].value;
  }
  CHECK(dropped == "134");
}

TEST_CASE("fields that a proxy treats in a way of its own are known in any case") {
  const std::pair<const char*, Known> names[] = {
      {"Host", Known::host},
      {"CONTENT-LENGTH", Known::content_length},
      {"Transfer-Encoding", Known::transfer_encoding},
      {"connection", Known::connection},
      {"Keep-Alive", Known::hop_by_hop},
      {"Proxy-Connection", Known::hop_by_hop},
      {"Proxy-Authenticate", Known::hop_by_hop},
      {"Proxy-Authorization", Known::hop_by_hop},
      {"TE", Known::hop_by_hop},
      {"te", Known::hop_by_hop},
      {"Trailer", Known::hop_by_hop},
      {"Upgrade", Known::upgrade},
      {"Expect", Known::expect},
      {"Date", Known::date},
      {"X-Request-ID", Known::request_id},
      {"X-Forwarded-For", Known::forwarded_for},
      {"X-Forwarded-Proto", Known::forwarded_proto},
      {"X-Forwarded-Host", Known::forwarded_host},
      {"X-Envoy-Expected-Rq-Timeout-Ms", Known::expected_timeout},
      {"X-Envoy-Upstream-Service-Time", Known::service_time},
      {"Onceproxy-Fence", Known::ours},
      {"oNCEPROXY-decision", Known::ours},
      {"onceproxy-anything-at-all-however-long-it-may-be", Known::ours},
      {"Onceproxy", Known::other},
      {"X-Onceproxy-Fence", Known::other},
      {"Trailers", Known::other},
      {"T", Known::other},
      {"Hosts", Known::other},
      {"X-Forwarded-Fox", Known::other},
      {"X_Request_Id", Known::other},
      {"Idempotency-Key", Known::other},
      {"a-name-that-is-longer-than-any-known-one", Known::other},
  };
  for (const auto& [name, known] : names) {
    INFO(name);
    CHECK(known_field(name) == known);
  }
}

TEST_CASE("the first field of a kind is the one that is pointed at") {
  const Request request(
      get("Upgrade: a\r\nUpgrade: b\r\nDate: 1\r\nDate: 2\r\nX-Request-Id: r\r\nX-Request-Id: s\r\n"
          "X-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\nX-Forwarded-Proto: p\r\n"
          "X-Forwarded-Host: q\r\n"));
  REQUIRE_FALSE(request.bad);
  const RequestHead& head = request.head;
  const auto value = [&](int index) {
    return head.fields.at(static_cast<std::size_t>(index)).value;
  };
  CHECK(value(head.upgrade) == "a");
  CHECK(value(head.date) == "1");
  CHECK(value(head.request_id) == "r");
  CHECK(value(head.forwarded_for) == "1");
  CHECK(value(head.forwarded_proto) == "p");
  CHECK(value(head.forwarded_host) == "q");
  const Request none(get(""));
  for (const int index :
       {none.head.upgrade, none.head.date, none.head.request_id, none.head.forwarded_for,
        none.head.forwarded_proto, none.head.forwarded_host}) {
    CHECK(index == -1);
  }
}

TEST_CASE("only HTTP/1.1 expects 100-continue, and expects nothing else") {
  CHECK(Request(get("Expect: 100-continue\r\n")).head.expects_continue);
  CHECK(Request(get("expect: 100-Continue\r\n")).head.expects_continue);
  CHECK(Request(get("Expect: 100-continue\r\nExpect: x\r\n")).head.expects_continue);
  CHECK_FALSE(Request(get("")).head.expects_continue);
  CHECK_FALSE(Request(get("Expect: 100-continued\r\n")).head.expects_continue);
  // RFC 9110 10.1.1
  CHECK_FALSE(Request("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
}

TEST_CASE("a head has so many fields and no more") {
  HeadLimits limits;
  limits.fields = 3;
  CHECK_FALSE(Request(get("A: 1\r\nB: 2\r\n"), limits).bad);
  const Request request(get("A: 1\r\nB: 2\r\nC: 3\r\n"), limits);
  REQUIRE(request.bad);
  CHECK(request.bad->status == 431);
  std::string thousands;
  for (int i = 0; i < 5000; ++i) thousands += "a:\r\n";
  const Request tiny(get(thousands));
  REQUIRE(tiny.bad);
  CHECK(tiny.bad->status == 431);
  CHECK(tiny.bad->reason == "too-many-fields");
}

TEST_CASE("one traceparent is read, and two are none") {
  CHECK(Request(get("X-A: 1\r\nTraceparent: 00-ab \r\n")).head.traceparent == "00-ab");
  CHECK(Request(get("traceparent: 00-ab\r\ntraceparent: 00-ab\r\n")).head.traceparent.empty());
  CHECK(Request(get("traceparent: a\r\ntraceparent: b\r\ntraceparent: c\r\n"))
            .head.traceparent.empty());
  CHECK(Request(get("tracestate: a=b\r\n")).head.traceparent.empty());
  RequestHead head;
  REQUIRE_FALSE(parse_request_head(get("traceparent: 00-ab\r\n"), {}, head));
  REQUIRE(parse_request_head("GET / HTTP/1.1\r\n\r\n", {}, head));
  CHECK(head.traceparent.empty());
}

}  // namespace
}  // namespace onceproxy::http
