// What each source of a field reads.
#include "policies/fields.hpp"

#include <catch2/catch.hpp>

#include "reading.hpp"

using namespace onceproxy::policies;
using namespace onceproxy::policies::test;

TEST_CASE("header: repeated fields are one list, an empty one is there") {
  const Selector x = selector(Source::header, "X-Id");
  CHECK(read(x, headers({{"x-id", "1"}})) == "t:1");
  CHECK(read(x, headers({{"x-id", "1"}, {"y", "9"}, {"X-ID", "2"}, {"x-Id", ""}})) == "t:1, 2, ");
  CHECK(read(x, headers({{"x-id", ""}})) == "t:");
  CHECK(read(x, headers({{"x-id", ""}, {"x-id", "2"}})) == "t:, 2");
  CHECK(read(x, headers({{"x-idx", "1"}})) == "missing");
}

TEST_CASE("query: names and values are decoded, several values are an array") {
  const Selector a = selector(Source::query, "a b");
  CHECK(read(a, target("/?a+b=x%20y")) == "t:x y");
  CHECK(read(a, target("/?a%20b=1&c=2")) == "t:1");
  CHECK(read(a, target("/?a+b")) == "t:");
  CHECK(read(a, target("/?a+b=2&a+b=1")) == R"(j:["2","1"])");
  CHECK(read(a, target("/?a+b=%5B%222%22,%221%22%5D")) == R"(t:["2","1"])");
  CHECK(read(a, target("/?b=1")) == "missing");
  CHECK(read(a, target("/")) == "missing");
}

TEST_CASE("path: a capture, as it stands in the normalised path") {
  const Match match = test::path_match("/v1/{id}/act");
  const Selector id = selector(Source::path, "id");
  CHECK(read(id, target("/v1/42/act"), match) == "t:42");
  CHECK(read(id, target("//v1/%34%32/./act"), match) == "t:42");
  CHECK(read(id, target("/v1/a%c3%a9/act"), match) == "t:a%C3%A9");
  CHECK(read(selector(Source::path, "other"), target("/v1/42/act"), match) == "missing");
}

TEST_CASE("cookie: several values are an array") {
  const Selector sid = selector(Source::cookie, "sid");
  CHECK(read(sid, headers({{"cookie", "a=1; sid=x"}})) == "t:x");
  CHECK(read(sid, headers({{"cookie", "sid=x; sid=y"}})) == R"(j:["x","y"])");
  CHECK(read(sid, headers({{"cookie", "Sid=x"}})) == "missing");
}

TEST_CASE("body: strings are text, other values JSON, and nothing passes for something else") {
  CHECK(read_body("/a", R"({"a":"1"})") == "t:1");
  CHECK(read_body("/a", R"({"a":1})") == "j:1");
  CHECK(read_body("/a", R"({"a":1.0})") == "j:1");
  CHECK(read_body("/a", R"({"a":null})") == "j:null");
  CHECK(read_body("/a", R"({"a":"null"})") == "t:null");
  CHECK(read_body("/a", R"({"a":""})") == "t:");
  CHECK(read_body("/a", R"({"a":[]})") == "j:[]");
  CHECK(read_body("/a", R"({"a":{}})") == "j:{}");
  CHECK(read_body("/a", R"({"a":false})") == "j:false");
  CHECK(read_body("/a", R"({"a":{"z":[1.50],"b":"\u0041"}})") == R"(j:{"b":"A","z":[1.5]})");
  CHECK(read_body("/a/1", R"({"a":[1,"x"]})") == "t:x");
  CHECK(read_body("", R"( {"b":1,"a":2} )") == R"(j:{"a":2,"b":1})");
  CHECK(read_body("", "7e0") == "j:7");
  CHECK(read_body("/a/*/n", R"({"a":[{"n":"x"},{"n":2.0}]})") == R"(j:["x",2])");
  for (const char* text : {"{}", "[]", "", "no json", R"({"b":{"a":1}})"}) {
    INFO(text);
    CHECK(read_body("/a", text) == "missing");
  }
  CHECK(read_body("/a/*/n", R"({"a":[{"n":"x"},{}]})") == "missing");
  CHECK(read_body("/a", R"({"a":1,"a":1})") == "unreadable");
  CHECK(read_body("/a", R"({"a":"\ud83d"})") == "t:\xed\xa0\xbd");
  CHECK(read_body("/a", "\xef\xbb\xbf{\"a\":1}") == "j:1");
}

TEST_CASE("nothing stands in for a field of an unreadable body") {
  const Selector chained = with(selector(Source::body, "/a"), [](Selector& s) {
    s.otherwise = std::make_shared<const Selector>(selector(Source::header, "a"));
  });
  const Selector defaulted =
      with(selector(Source::body, "/a"), [](Selector& s) { s.default_value = "x"; });
  Request request = headers({{"a", "1"}});
  request.body = R"({"a":1,)";
  CHECK(read(chained, request) == "unreadable");
  CHECK(read(defaulted, request) == "unreadable");
  const Selector behind = with(selector(Source::header, "a"), [](Selector& s) {
    s.otherwise = std::make_shared<const Selector>(selector(Source::body, "/a"));
  });
  CHECK(read(behind, request) == "t:1");
  request.headers.clear();
  CHECK(read(behind, request) == "unreadable");
}

TEST_CASE("form: only in a body that says it is one") {
  Request request =
      headers({{"Content-Type", "Application/X-WWW-Form-URLencoded ; charset=utf-8"}});
  request.body = "id=4+2&x=1&x=2";
  CHECK(read(selector(Source::form, "id"), request) == "t:4 2");
  CHECK(read(selector(Source::form, "x"), request) == R"(j:["1","2"])");
  CHECK(read(selector(Source::form, "y"), request) == "missing");
  request.headers = {{"content-type", "text/plain"}};
  CHECK(read(selector(Source::form, "id"), request) == "missing");
  request.headers.clear();
  CHECK(read(selector(Source::form, "id"), request) == "missing");
  request.headers = {{"content-type", "text/plain"},
                     {"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = "\xef\xbb\xbfid=1";
  CHECK(read(selector(Source::form, "id"), request) == "t:1");
  request.headers.push_back({"content-encoding", "gzip"});
  CHECK(read(selector(Source::form, "id"), request) == "unreadable");
}

TEST_CASE("method: with what overrides it, where the policy minds") {
  Match match;
  Request request = target("/a?_method=Patch");
  request.headers = {{"X-HTTP-Method-Override", "delete, PUT"},
                     {"x-method-override", " "},
                     {"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = "x=1&_method=put";
  CHECK(read(selector(Source::method), request, match) == "t:POST");
  match.method_override = true;
  CHECK(read(selector(Source::method), request, match) == "t:POST, DELETE, PUT, PATCH, PUT");
  CHECK(read(selector(Source::method), target("/"), match) == "t:POST");
  request.headers.push_back({"content-encoding", "gzip"});
  CHECK(read(selector(Source::method), request, match) == "unreadable");
}

TEST_CASE("method, target and constant are taken as they are") {
  Request request = target("/A//b?x=%41");
  request.method = "pOST";
  CHECK(read(selector(Source::method), request) == "t:pOST");
  CHECK(read(selector(Source::target), request) == "t:/A//b?x=%41");
  CHECK(read(selector(Source::constant, "text"), request) == "t:text");
}

TEST_CASE("target: normal is the path in normal form and the query as it came") {
  const Selector normal = selector(Source::target, "normal");
  CHECK(read(normal, target("//a/./%62?x=%41")) == "t:/a/b?x=%41");
  CHECK(read(normal, target("/a/b?x=A")) == "t:/a/b?x=A");
  CHECK(read(normal, target("/a/b?")) == "t:/a/b?");
  CHECK(read(normal, target("/a/b")) == "t:/a/b");
}

TEST_CASE("xml: text of a body that is XML") {
  const Selector id = selector(Source::xml, "/Order/@id");
  CHECK(read(id, body("<o:Order xmlns:o='u' id='1'/>")) == "t:1");
  CHECK(read(id, body(" \r\n<Order id='1'/>")) == "t:1");
  CHECK(read(selector(Source::xml, "//b"), body("<a><b>1</b><b>2</b></a>")) == R"(j:["1","2"])");
  for (const char* text : {"<Order/>", "", "{}", "id=1"}) {
    INFO(text);
    CHECK(read(id, body(text)) == "missing");
  }
  CHECK(read(id, body("<Order id='1'>")) == "unreadable");
  CHECK(read(id, body("<!DOCTYPE Order><Order id='1'/>")) == "unreadable");
  Request says = headers({{"Content-Type", "application/soap+xml; charset=utf-8"}});
  says.body = "Order";
  CHECK(read(id, says) == "unreadable");
  says.body = "";
  CHECK(read(id, says) == "missing");
  CHECK(read(with(id,
                  [](Selector& s) {
                    s.otherwise = std::make_shared<const Selector>(selector(Source::header, "x"));
                  }),
             says) == "missing");
}

TEST_CASE("A certificate's names are read; what it lacks, and a client without one, is missing") {
  const std::vector<std::string> uris{"spiffe://a/b"};
  const std::vector<std::string> hosts{"b.example", "a.example"};
  ClientCertificate certificate{uris, hosts, "CN=caller", "00ff"};
  const auto says = [&](const std::string& name, const ClientCertificate* shown) {
    Request request;
    RequestView view = request.view();
    view.certificate = shown;
    Document body(view, request.body, 1 << 20);
    std::string out;
    const Match match;
    const auto type =
        append_field(selector(Source::client_certificate, name), Subject{match, view, body}, out);
    return type ? std::string(1, static_cast<char>(*type)) + ":" + out : "missing";
  };
  CHECK(says("san_uri", &certificate) == "t:spiffe://a/b");
  CHECK(says("san_dns", &certificate) == "j:[\"b.example\",\"a.example\"]");
  CHECK(says("subject", &certificate) == "t:CN=caller");
  CHECK(says("sha256", &certificate) == "t:00ff");
  certificate = {{}, {}, "", "00ff"};
  for (const char* name : {"san_uri", "san_dns", "subject"}) {
    CHECK(says(name, &certificate) == "missing");
  }
  CHECK(says("sha256", nullptr) == "missing");
}
