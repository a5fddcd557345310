#include "proxy/http/grammar/head.hpp"

#include <algorithm>
#include <memory>

#include "heads.hpp"

namespace onceproxy::http {
namespace {

using namespace testing;
using Kind = Framing::Kind;
using namespace std::string_literals;

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

TEST_CASE("a byte may stand in a field's value or not, wherever in it") {
  for (int byte = 0; byte < 256; ++byte) {
    const bool may = byte == '\t' || (byte >= 0x20 && byte != 0x7F);
    for (std::size_t at = 0; at < 20; ++at) {
      // Beside what is close to the border.
      for (const char other : {' ', '!', '\x80', '\t'}) {
        std::string value(20, other);
        value[at] = static_cast<char>(byte);
        CAPTURE(byte, at, other);
        REQUIRE(valid_field_value(value) == may);
      }
    }
  }
}

TEST_CASE("valid field values and tokens") {
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
