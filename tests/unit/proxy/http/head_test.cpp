#include "proxy/http/head.hpp"

#include <algorithm>
#include <memory>

#include "heads.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using Kind = Framing::Kind;
using namespace std::string_literals;

struct Refused {
  std::string text;
  std::string_view reason;
  int status = 400;
};

void check_refused(const Refused& refused) {
  INFO(shown(refused.text));
  const Request request(refused.text);
  REQUIRE(request.bad);
  CHECK(request.bad->status == refused.status);
  CHECK(request.bad->reason == refused.reason);
  CHECK_FALSE(request.bad->detail.empty());
}

void check_taken(const std::string& text) {
  INFO(shown(text));
  const Request request(text);
  if (request.bad) INFO(request.bad->detail);
  CHECK_FALSE(request.bad);
}

TEST_CASE("a request's parts are views into what was read") {
  const Request request(
      "POST /v1/rides/7?dry=1&x=? HTTP/1.1\r\nHost: rides.example:8080\r\n"
      "Content-Type:application/json\r\nX-Empty:\r\nX-Blank: \t \r\n"
      "X-Padded: \t a  b \t\r\nContent-Length: 12\r\n\r\n");
  REQUIRE_FALSE(request.bad);
  const RequestHead& head = request.head;
  CHECK(head.method == "POST");
  CHECK(head.target == "/v1/rides/7?dry=1&x=?");
  CHECK(head.path == "/v1/rides/7");
  CHECK(head.query == "dry=1&x=?");
  CHECK(head.host == "rides.example:8080");
  CHECK(head.minor_version == 1);
  CHECK(head.keep_alive);
  CHECK(head.size == request.text.size());
  CHECK(head.framing.kind == Kind::length);
  CHECK(head.framing.length == 12);
  REQUIRE(head.fields.size() == 6);
  CHECK(head.fields[1].name == "Content-Type");
  CHECK(head.fields[1].value == "application/json");
  CHECK(head.fields[2].value.empty());
  CHECK(head.fields[3].value.empty());
  CHECK(head.fields[4].value == "a  b");
  for (const Field& field : head.fields) {
    CHECK(field.name.data() > request.text.data());
    CHECK(field.name.data() < request.text.data() + request.text.size());
  }
}

TEST_CASE("a request line that is not method, target and version is refused") {
  const Refused cases[] = {
      {line(""), "request-line"},
      {line("GET"), "request-line"},
      {line("GET /"), "request-line"},
      {line("GET HTTP/1.1"), "request-line"},
      {line("GET  HTTP/1.1"), "request-line"},
      {line(" GET / HTTP/1.1"), "method"},
      {line("GET\t/ HTTP/1.1"), "request-line"},
      {line("G\x01T / HTTP/1.1"), "method"},
      {line("G(T / HTTP/1.1"), "method"},
      {line("GET: / HTTP/1.1"), "method"},
      {line("caf\xc3\xa9 / HTTP/1.1"), "method"},
      {line("GET / HTTP/1.1 "), "version"},
      {line("GET / http/1.1"), "version"},
      {line("GET / HTTP/1"), "version"},
      {line("GET / HTTP/1.1x"), "version"},
      {line("GET / HTTP/01.1"), "version"},
      {line("GET / HTTP/1,1"), "version"},
      {line("GET / XTTP/1.1"), "version"},
      {line("GET / HTTP/-1.1"), "version"},
      {line("GET / HTTP/1.2"), "version", 505},
      {line("GET / HTTP/1.9"), "version", 505},
      {line("GET / HTTP/0.9"), "version", 505},
      {line("GET / HTTP/2.0"), "version", 505},
      {line("PRI * HTTP/2.0"), "version", 505},
      {line("TRACE / HTTP/1.1"), "method", 405},
      {line("CONNECT h:443 HTTP/1.1"), "method", 501},
      {line("CONNECT /x HTTP/1.1"), "method", 501},
  };
  for (const Refused& refused : cases) check_refused(refused);
}

TEST_CASE("any other method that is a token is taken") {
  for (const char* method : {"GET", "HEAD", "DELETE", "PATCH", "PROPFIND", "M-SEARCH", "get",
                             "trace", "connect", "TRACEX", "!#$%&'*+-.^_`|~09az"}) {
    check_taken(line(std::string(method) + " / HTTP/1.1"));
  }
}

TEST_CASE("a target with a character that has no place in one is refused") {
  for (const std::string& target :
       {"/a b"s, " /"s, "/ "s, "/a\tb"s, "/a#b"s, "/#"s, "/a\\b"s, "\\"s, "/caf\xc3\xa9"s, "/\xff"s,
        "/a\x7f"s, "/a\x01"s, "/a\0b"s, "/?q=a b"s, "/?q=#"s, "/?\x80"s, "/a\rb"s}) {
    check_refused({line("GET " + target + " HTTP/1.1"), "target"});
  }
  for (const char* target : {"/", "/?", "//", "/a%20b", "/%00", "/%2F", "/%zz", "/a?b?c",
                             "/[]{}|^`\"<>", "/..", "/a:b", "/;,=@!$&'()*+~"}) {
    check_taken(line("GET " + std::string(target) + " HTTP/1.1"));
  }
}

TEST_CASE("a target is a path, an http URI, or * for OPTIONS") {
  for (const char* first : {"GET * HTTP/1.1",
                            "POST * HTTP/1.1",
                            "options * HTTP/1.1",
                            "OPTIONS ** HTTP/1.1",
                            "OPTIONS *? HTTP/1.1",
                            "GET a HTTP/1.1",
                            "GET ?x HTTP/1.1",
                            "GET h:80 HTTP/1.1",
                            "GET ftp://h/ HTTP/1.1",
                            "GET ://h/ HTTP/1.1",
                            "GET http:/h/ HTTP/1.1",
                            "GET http:h/ HTTP/1.1",
                            "GET xhttp://h/ HTTP/1.1",
                            "GET http:///x HTTP/1.1",
                            "GET http:// HTTP/1.1",
                            "GET http://h?x HTTP/1.1",
                            "GET http://u@h/ HTTP/1.1",
                            "GET http://u:p@h/ HTTP/1.1",
                            "GET http://h:8x/ HTTP/1.1",
                            "GET http://[::1/ HTTP/1.1"}) {
    check_refused({line(first), "target"});
  }
  const Request whole(line("OPTIONS * HTTP/1.1"));
  REQUIRE_FALSE(whole.bad);
  CHECK(whole.head.target == "*");
  CHECK(whole.head.path == "*");
}

TEST_CASE("an absolute form is read as its origin form") {
  struct Case {
    std::string first, host, target, path, query;
  };
  const Case cases[] = {
      {"GET http://h/a?b HTTP/1.1", "h", "/a?b", "/a", "b"},
      {"GET HTTP://h/a HTTP/1.1", "h", "/a", "/a", ""},
      {"GET https://h:443/ HTTP/1.1", "h:443", "/", "/", ""},
      {"GET http://h HTTP/1.1", "h", "/", "/", ""},
      {"GET http://EXAMPLE.com/ HTTP/1.1", "example.COM", "/", "/", ""},
      {"GET http://h/http://i/ HTTP/1.1", "h", "/http://i/", "/http://i/", ""},
      {"GET http://[::1]:80/x HTTP/1.1", "[::1]:80", "/x", "/x", ""},
      // RFC 9112 3.2.4
      {"OPTIONS http://h HTTP/1.1", "h", "*", "*", ""},
      {"OPTIONS http://h/ HTTP/1.1", "h", "/", "/", ""},
  };
  for (const Case& each : cases) {
    INFO(each.first);
    const Request request(each.first + "\r\nHost: " + each.host + "\r\n\r\n");
    REQUIRE_FALSE(request.bad);
    CHECK(request.head.target == each.target);
    CHECK(request.head.path == each.path);
    CHECK(request.head.query == each.query);
    CHECK(request.head.host == each.host);
  }
  for (const char* target : {"http://i/", "http://h:80/", "http://h./", "http://hh/"}) {
    check_refused({line("GET " + std::string(target) + " HTTP/1.1"), "host"});
  }
}

TEST_CASE("Host is there once and names a host") {
  check_refused({"GET / HTTP/1.1\r\n\r\n", "host"});
  check_refused({"GET http://h/ HTTP/1.1\r\n\r\n", "host"});
  check_refused({"OPTIONS * HTTP/1.1\r\n\r\n", "host"});
  check_refused({get("Host: h\r\n"), "host"});
  check_refused({get("hOST: other\r\n"), "host"});
  check_refused({"GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", "host"});
  check_refused({"GET / HTTP/1.0\r\nHost:\r\n\r\n", "host"});
  for (const char* host : {"",
                           " ",
                           "a b",
                           "a,b c",
                           "a/b",
                           "a?b",
                           "u@h",
                           "a\"b",
                           "a<b",
                           "caf\xc3\xa9",
                           "a\\b",
                           ":80",
                           "h:8x",
                           "h:-1",
                           "h:123456",
                           "h:80:80",
                           "h: 80",
                           "h :80",
                           "::1",
                           "[::1",
                           "::1]",
                           "[]",
                           "[:]",
                           "[::1]x",
                           "[::1]80",
                           "[::1]:x",
                           "[abc]",
                           "[1.2.3.4]",
                           "[fe80::1%25eth0]",
                           "[v1.x]",
                           "[::1]]",
                           "[12345::]",
                           "%",
                           "a%2",
                           "a%zz",
                           "[0:0:0:0:0:0:0:0:0]",
                           "[::ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"}) {
    check_refused({"GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n", "host"});
  }
  for (const char* host : {"h", "h:", "h:0", "h:80", "h:99999", "127.0.0.1", "127.0.0.1:1", "[::1]",
                           "[::1]:80", "[::1]:", "[fe80:0:0:0:1:2:3:4]", "[::ffff:1.2.3.4]", "h.",
                           "a_b", "a-b.c", "a%20b", "a~!$&'()*+,;=b", "-"}) {
    check_taken("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
  }
  const Request old("GET / HTTP/1.0\r\n\r\n");
  REQUIRE_FALSE(old.bad);
  CHECK(old.head.host.empty());
  const Request old_absolute("GET http://h:8/ HTTP/1.0\r\n\r\n");
  REQUIRE_FALSE(old_absolute.bad);
  CHECK(old_absolute.head.host == "h:8");
}

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

TEST_CASE("a head that never ends is too large, or its first line is too long") {
  CHECK(oversized_head("GET /" + std::string(20'000, 'a')).status == 414);
  CHECK(oversized_head("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a')).status == 431);
}

TEST_CASE("a head that is used again shows nothing of the one before") {
  const std::string full =
      get("Upgrade: x\r\nDate: y\r\nExpect: 100-continue\r\nConnection: close, x-a\r\nX-A: 1\r\n"
          "X-Request-Id: 5\r\nX-Forwarded-For: 1\r\nTransfer-Encoding: chunked\r\n");
  for (const std::string& next : {"bad\r\n\r\n"s, "GET / HTTP/1.1\r\nbad\r\n\r\n"s, get("")}) {
    INFO(shown(next));
    RequestHead head;
    REQUIRE_FALSE(parse_request_head(full, {}, head));
    (void)parse_request_head(next, {}, head);
    CHECK(head.fields.size() <= 1);
    CHECK(head.known.size() == head.fields.size());
    CHECK_FALSE(head.has_named);
    CHECK_FALSE(head.expects_continue);
    CHECK(head.framing.kind == Kind::none);
    CHECK(head.upgrade == -1);
    CHECK(head.date == -1);
    CHECK(head.request_id == -1);
    CHECK(head.forwarded_for == -1);
  }
  ResponseHead answer;
  REQUIRE_FALSE(
      parse_response_head(ok("Date: x\r\nTransfer-Encoding: chunked\r\n"), {}, "GET", answer));
  REQUIRE(parse_response_head("HTTP/1.1 x\r\n\r\n", {}, "GET", answer));
  CHECK(answer.fields.empty());
  CHECK(answer.status == 0);
  CHECK(answer.date == -1);
  CHECK(answer.framing.kind == Kind::none);
  CHECK_FALSE(answer.keep_alive);
}

TEST_CASE("a head can be moved to a copy of its bytes") {
  for (const std::string& text :
       {get("X: 1\r\nEmpty:\r\n"), line("OPTIONS * HTTP/1.1"),
        "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"s, "GET http://h/a?b HTTP/1.0\r\n\r\n"s}) {
    INFO(shown(text));
    auto original = std::make_unique<std::string>(text);
    RequestHead head;
    REQUIRE_FALSE(parse_request_head(*original, {}, head));
    const std::string copy = *original;
    const std::string target(head.target), path(head.path), query(head.query), host(head.host);
    head.move_views(original->data(), copy.data());
    std::fill(original->begin(), original->end(), '!');
    original.reset();
    CHECK(copy.starts_with(head.method));
    CHECK(head.target == target);
    CHECK(head.path == path);
    CHECK(head.query == query);
    CHECK(head.host == host);
    for (const Field& field : head.fields) CHECK(copy.find(field.name) != std::string::npos);
  }
}

TEST_CASE("a head's end is found wherever reading stopped before") {
  const std::pair<std::string, std::size_t> cases[] = {
      {"", 0},
      {"\r\n", 0},
      {"\r\n\r\n", 4},
      {"\n\n", 2},
      {"a\n\r\nb", 4},
      {"a\n\nb", 3},
      {"a\r\n\nb", 4},
      {"a\r\n\r\r\n", 0},
      {"a\r\r\n\r\n", 6},
      {"GET / HTTP/1.1\r\nHost: h\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r", 0},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n", 27},
  };
  for (const auto& [text, end] : cases) {
    INFO(shown(text));
    CHECK(find_head_end(text) == end);
    // Byte by byte, as a slow client sends it.
    std::size_t found = 0;
    for (std::size_t size = 1; size <= text.size() && found == 0; ++size) {
      found = find_head_end(std::string_view(text).substr(0, size), size - 1);
    }
    CHECK(found == end);
    // In two reads, wherever they part.
    for (std::size_t split = 0; split <= text.size(); ++split) {
      if (find_head_end(std::string_view(text).substr(0, split)) != 0) continue;
      CHECK(find_head_end(text, split) == end);
    }
  }
}

TEST_CASE("what may be sent as a field's value or as a token") {
  CHECK(valid_field_value(""));
  CHECK(valid_field_value("a b\tc\xc3\xa9"));
  for (const std::string& value : {"a\r\nb"s, "a\r"s, "a\n"s, "\0"s, "\x7f"s, "\x1b"s}) {
    CHECK_FALSE(valid_field_value(value));
  }
  CHECK(valid_token("x-A_1"));
  for (const char* text : {"", "a b", "a:", "a\r", "(", "a/b", "caf\xc3\xa9"}) {
    CHECK_FALSE(valid_token(text));
  }
}

}  // namespace
}  // namespace onceproxy::http
