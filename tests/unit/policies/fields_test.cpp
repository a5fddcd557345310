#include "policies/fields.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;
using test::selector;

namespace {

/// The value as its type's letter, a colon and its text; "missing", "unreadable" or
/// "bad key" where there is none.
std::string read(const Selector& selector, Request request, const Match& match = {},
                 Reading reading = Reading::digest) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  std::string out = "before";
  const auto type = append_field(selector, Subject{match, view, body, 0, reading}, out);
  REQUIRE(out.substr(0, 6) == "before");
  if (type) return std::string(1, static_cast<char>(*type)) + ":" + out.substr(6);
  CHECK(out == "before");
  if (type.error().kind == SelectError::Kind::unreadable) return "unreadable";
  return type.error().kind == SelectError::Kind::missing ? "missing" : "bad key";
}

Request body(std::string text) {
  Request request;
  request.body = std::move(text);
  return request;
}

Request target(std::string text) {
  Request request;
  request.target = std::move(text);
  return request;
}

Request headers(decltype(Request::headers) fields) {
  Request request;
  request.headers = std::move(fields);
  return request;
}

Selector with(Selector selector, void (*change)(Selector&)) {
  change(selector);
  return selector;
}

std::string read_body(const char* pointer, std::string text) {
  return read(selector(Source::body, pointer), body(std::move(text)));
}

}  // namespace

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

TEST_CASE("content: canonical JSON, else bytes, and never missing unless it cannot be read") {
  const Selector content = selector(Source::content);
  CHECK(read(content, body(R"({ "b":1, "a":1.0 })")) == R"(j:{"a":1,"b":1})");
  CHECK(read(content, body(R"("x")")) == R"(j:"x")");
  CHECK(read(content, body("x")) == "b:x");
  CHECK(read(content, body(R"({"a":1,"a":1})")) == R"(b:{"a":1,"a":1})");
  CHECK(read(content, body("")) == "b:");
  Request encoded = headers({{"content-encoding", "br"}});
  encoded.body = "{}";
  CHECK(read(content, encoded) == "unreadable");
}

namespace {

const std::string two_parts =
    "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    "--X\r\nContent-Disposition: form-data; name=b; filename=c\r\n\r\n2\r\n--X--\r\n";

Request typed(std::string type, std::string text) {
  Request request = headers({{"Content-Type", std::move(type)}});
  request.body = std::move(text);
  return request;
}

}  // namespace

TEST_CASE("content: a body counts as what it says that it is") {
  const Selector content = selector(Source::content);
  CHECK(read(content, typed("text/plain", "1.10")) == "b:1.10");
  CHECK(read(content, typed("text/csv", " 5\n")) == "b: 5\n");
  CHECK(read(content, typed("text/plain", R"({ "a":1.0 })")) == R"(b:{ "a":1.0 })");
  for (const char* type : {"", "application/json; charset=utf-8", "application/merge-patch+json"}) {
    CHECK(read(content, typed(type, R"({ "a":1.0 })")) == R"(j:{"a":1})");
  }
  const std::string form = "application/x-www-form-urlencoded";
  CHECK(read(content, typed(form, "b=x+y&a=%31")) == R"(f:[["b","x y"],["a","1"]])");
  CHECK(read(content, typed(form, "5")) == R"(f:[["5",""]])");
  CHECK(read(content, typed(form, "")) == "b:");
  // As curl sends JSON where nobody tells it the type.
  CHECK(read(content, typed(form, R"({"a":"1+1"})")) == R"(b:{"a":"1+1"})");
  CHECK(read(content, typed("multipart/form-data; boundary=X", two_parts)) ==
        "m:{\"name\":\"a\",\"size\":1}\n1\n{\"filename\":\"c\",\"name\":\"b\",\"size\":1}\n2\n");
  const std::string broken = two_parts.substr(0, 70);
  CHECK(read(content, typed("multipart/form-data; boundary=X", broken)) == "b:" + broken);
  CHECK(read(content, typed("multipart/form-data; boundary=Y", two_parts)) == "b:" + two_parts);
  Request twice = typed("application/json", R"({ "a":1.0 })");
  twice.headers.emplace_back("content-type", "text/plain");
  CHECK(read(content, twice) == R"(b:{ "a":1.0 })");
}

TEST_CASE("content: in a condition a form is its bytes") {
  const Selector content = selector(Source::content);
  const auto asked = [&](const std::string& type, const std::string& text) {
    return read(content, typed(type, text), {}, Reading::condition);
  };
  CHECK(asked("application/x-www-form-urlencoded", "b=x+y") == "b:b=x+y");
  CHECK(asked("multipart/form-data; boundary=X", two_parts) == "b:" + two_parts);
  CHECK(asked("application/json", R"({ "a":1.0 })") == R"(j:{"a":1})");
  CHECK(asked("text/plain", "1.10") == "b:1.10");
}

TEST_CASE("content and form: the version before read bodies by what they are") {
  const auto before = [](const Selector& selector, const std::string& type,
                         const std::string& text) {
    return read(selector, typed(type, text), {}, Reading::earlier_digest);
  };
  const Selector content = selector(Source::content);
  CHECK(before(content, "text/plain", "1.10") == "j:1.1");
  CHECK(before(content, "application/x-www-form-urlencoded", "b=x+y") == "b:b=x+y");
  CHECK(before(content, "application/x-www-form-urlencoded", "[1.0]") == "j:[1]");
  CHECK(before(content, "multipart/form-data; boundary=X", two_parts) == "b:" + two_parts);
  CHECK(before(selector(Source::form, "a"), "multipart/form-data; boundary=X", two_parts) ==
        "missing");
  CHECK(before(selector(Source::form, "a"), "application/x-www-form-urlencoded", "a=1") == "t:1");
}

TEST_CASE("form: the parts of multipart/form-data are its fields") {
  const auto field = [](const char* name, std::string text) {
    return read(selector(Source::form, name), typed("multipart/form-data; boundary=X", text));
  };
  CHECK(field("a", two_parts) == "t:1");
  CHECK(field("b", two_parts) == "t:2");
  CHECK(field("c", two_parts) == "missing");
  const std::string again = two_parts.substr(0, two_parts.find("--X", 3));
  CHECK(field("a", again + two_parts) == R"(j:["1","1"])");
  CHECK(field("a", two_parts.substr(0, 70)) == "unreadable");
}

TEST_CASE("a field of a body that has none is missing, and why is told") {
  const auto why = [](const Selector& selector, Request request) {
    const RequestView view = request.view();
    Document body(view, request.body, 1 << 20);
    std::string out;
    const Match match;
    const auto type = append_field(selector, Subject{match, view, body}, out);
    REQUIRE_FALSE(type);
    CHECK(type.error().kind == SelectError::Kind::missing);
    return type.error().detail + type.error().key_header;
  };
  const Selector id = selector(Source::body, "/id");
  CHECK(why(id, body("")) == "selector: /id (the body is empty)");
  CHECK(why(id, body("hello")) ==
        "selector: /id (the body is not JSON: a JSON value is missing at byte 0)");
  CHECK(why(id, body(R"({"a":1})")) == "selector: /id");
  const Selector form = selector(Source::form, "a");
  CHECK(why(form, body("a=1")) == "selector: a (the body is not a form)");
  CHECK(why(form, typed("application/x-www-form-urlencoded", "b=1")) == "selector: a");
  CHECK(why(form, typed("multipart/form-data; boundary=X",
                        two_parts.substr(two_parts.find("--X", 3)))) == "selector: a");
  CHECK(why(selector(Source::header, "a"), body("")) == "selector: a");
  CHECK(why(selector(Source::client_key, "Idempotency-Key"), body("")) ==
        "selector: Idempotency-KeyIdempotency-Key");
}

TEST_CASE("modifiers reach text and every string and number of a JSON value") {
  const Selector lower = with(selector(Source::header, "x"), [](Selector& s) { s.lower = true; });
  CHECK(read(lower, headers({{"x", "AbC\xc3\x84"}})) == "t:abc\xc3\x84");
  const Selector trim = with(selector(Source::query, "x"), [](Selector& s) { s.trim = true; });
  CHECK(read(trim, target("/?x=+%09a+b%0a")) == "t:a b");
  CHECK(read(trim, target("/?x=+")) == "t:");
  const Selector round = with(selector(Source::query, "x"), [](Selector& s) { s.round = 2; });
  CHECK(read(round, target("/?x=1.005")) == "t:1.01");
  CHECK(read(round, target("/?x=1.50")) == "t:1.5");
  CHECK(read(round, target("/?x=1.005x")) == "t:1.005x");
  CHECK(read(round, target("/?x=01.005")) == "t:01.005");

  const Selector all = with(selector(Source::body, "/a"), [](Selector& s) {
    s.lower = s.trim = true;
    s.round = 1;
  });
  CHECK(read(all, body(R"({"a":" X "})")) == "t:x");
  CHECK(read(all, body(R"({"a":" 0.05 "})")) == "t:0.1");
  CHECK(read(all, body(R"({"a":0.25})")) == "j:0.3");
  CHECK(read(all, body(R"({"a":{"K ":[" X",0.25,null,"0.25"]}})")) ==
        R"(j:{"K ":["x",0.3,null,"0.3"]})");
}

TEST_CASE("sort takes an array as a set") {
  const Selector a = with(selector(Source::body, "/a"), [](Selector& s) { s.sort = true; });
  CHECK(read(a, body(R"({"a":[3,1.0,"b",1,"a",{"y":1,"x":2},{"x":2,"y":1}]})")) ==
        R"(j:["a","b",1,3,{"x":2,"y":1}])");
  CHECK(read(a, body(R"({"a":[[2,1],[2,1],[1,2]]})")) == "j:[[1,2],[2,1]]");
  CHECK(read(a, body(R"({"a":[]})")) == "j:[]");
  CHECK(read(a, body(R"({"a":"b"})")) == "t:b");
  CHECK(read(a, body(R"({"a":{"b":[2,1]}})")) == R"(j:{"b":[2,1]})");
  const Selector every =
      with(selector(Source::body, "/*/n"), [](Selector& s) { s.sort = s.lower = true; });
  CHECK(read(every, body(R"([{"n":"B"},{"n":"a"},{"n":"b"}])")) == R"(j:["a","b"])");
  CHECK(read(every, body(R"([{"n":"B"},{}])")) == "missing");
  CHECK(read(every, body(R"({"n":"B"})")) == "missing");
  const Selector query = with(selector(Source::query, "x"), [](Selector& s) { s.sort = true; });
  CHECK(read(query, target("/?x=2&x=1&x=2")) == R"(j:["1","2"])");
}

TEST_CASE("a default stands for what the field would have held") {
  const auto with_default = [](Source source, const char* name, std::string value) {
    Selector out = selector(source, name);
    out.default_value = std::move(value);
    return out;
  };
  CHECK(read(with_default(Source::header, "x", "7"), {}) == "t:7");
  CHECK(read(with_default(Source::header, "x", "7"), headers({{"x", ""}})) == "t:");
  CHECK(read(with_default(Source::body, "/a", "7"), body("{}")) == "j:7");
  CHECK(read(with_default(Source::body, "/a", "\"7\""), body("{}")) == "t:7");
  CHECK(read(with_default(Source::body, "/a", "none"), body("{}")) == "t:none");
  CHECK(read(with_default(Source::body, "/a", ""), body("{}")) == "t:");
  CHECK(read(with_default(Source::body, "/a", "x"), body(R"({"a":null})")) == "j:null");
  CHECK(read(with_default(Source::body, "/*/a", "x"), body(R"([{"a":1},{}])")) == "t:x");
  CHECK(read(with(with_default(Source::header, "x", "A"), [](Selector& s) { s.lower = true; }),
             {}) == "t:a");
}

TEST_CASE("where a field is missing the next of its chain is read, and the last one's default") {
  Selector last = selector(Source::body, "/id");
  Selector first = selector(Source::header, "svix-id");
  first.otherwise = std::make_shared<const Selector>(selector(Source::header, "webhook-id"));
  CHECK(read(first, headers({{"webhook-id", "w"}, {"svix-id", "s"}})) == "t:s");
  CHECK(read(first, headers({{"webhook-id", "w"}})) == "t:w");
  CHECK(read(first, headers({{"webhook-id", "w"}, {"svix-id", ""}})) == "t:");
  CHECK(read(first, {}) == "missing");

  Selector second = *first.otherwise;
  last.default_value = "none";
  second.lower = true;
  second.otherwise = std::make_shared<const Selector>(last);
  first.otherwise = std::make_shared<const Selector>(second);
  Request both = headers({{"webhook-id", "W"}});
  both.body = R"({"id":1})";
  CHECK(read(first, both) == "t:w");
  CHECK(read(first, body(R"({"id":1.0})")) == "j:1");
  CHECK(read(first, body("{}")) == "t:none");
}

TEST_CASE("a chain that ends in nothing is missing by its first name, and leaves nothing behind") {
  Selector first = selector(Source::body, "/a/*/id");
  first.otherwise = std::make_shared<const Selector>(selector(Source::body, "/b/*/id"));
  Request request = body(R"({"a":[{"id":1},{}],"b":[{"id":1},{}]})");
  const RequestView view = request.view();
  Document document(view, request.body, 1 << 20);
  const Match match;
  std::string out = "before";
  const auto error = append_field(first, Subject{match, view, document}, out);
  REQUIRE_FALSE(error);
  CHECK(error.error().detail == "selector: /a/*/id");
  CHECK(out == "before");
}

TEST_CASE("client_key: one well-formed field, narrowed by its pattern") {
  Selector key = selector(Source::client_key, "Idempotency-Key");
  CHECK(read(key, headers({{"idempotency-key", "\"k 1\";p=2"}})) == "t:k 1");
  CHECK(read(key, headers({{"idempotency-key", "k1"}})) == "t:k1");
  CHECK(read(key, {}) == "missing");
  CHECK(read(key, headers({{"idempotency-key", ""}})) == "bad key");
  CHECK(read(key, headers({{"idempotency-key", "k1"}, {"Idempotency-Key", "k1"}})) == "bad key");
  key.pattern = test::regex("[0-9a-f]{4}");
  CHECK(read(key, headers({{"idempotency-key", "\"00ff\""}})) == "t:00ff");
  CHECK(read(key, headers({{"idempotency-key", "00ff0"}})) == "bad key");
  key.default_value = "none";
  CHECK(read(key, {}) == "t:none");
  CHECK(read(key, headers({{"idempotency-key", ""}})) == "bad key");
}

TEST_CASE("lists of selectors are read in order, up to the first error") {
  Request request = headers({{"a", "1"}, {"b", "2"}});
  const Match match;
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  const Subject subject{match, view, body};
  const std::vector<Selector> both{selector(Source::header, "b"), selector(Source::header, "a")};
  const auto values = read_fields(both, subject);
  REQUIRE(values);
  CHECK(*values == std::vector<Value>{{ValueType::text, "2"}, {ValueType::text, "1"}});
  const std::vector<Selector> more{selector(Source::header, "b"), selector(Source::header, "c")};
  const auto error = read_fields(more, subject);
  REQUIRE_FALSE(error);
  CHECK(error.error().detail == "selector: c");
}

TEST_CASE("target: normal is the path in normal form and the query as it came") {
  const Selector normal = selector(Source::target, "normal");
  CHECK(read(normal, target("//a/./%62?x=%41")) == "t:/a/b?x=%41");
  CHECK(read(normal, target("/a/b?x=A")) == "t:/a/b?x=A");
  CHECK(read(normal, target("/a/b?")) == "t:/a/b?");
  CHECK(read(normal, target("/a/b")) == "t:/a/b");
}

TEST_CASE("content: what changes with each attempt does not count") {
  const Selector content = with(selector(Source::content), [](Selector& s) {
    s.except = {{"sentAt"}, {"m", "id"}};
  });
  CHECK(read(content, body(R"({"sentAt":1,"m":{"id":2,"n":3.0}})")) == R"(j:{"m":{"n":3}})");
  CHECK(read(content, body(R"({"n":[1]})")) == R"(j:{"n":[1]})");
  CHECK(read(content, body("text")) == "b:text");
  CHECK(read(content, body("")) == "b:");
  Request form = headers({{"Content-Type", "application/x-www-form-urlencoded"}});
  form.body = "a=1&sentAt=2&m=3";
  CHECK(read(content, form) == R"(f:[["a","1"],["m","3"]])");
  Request parts = headers({{"Content-Type", "multipart/form-data; boundary=x"}});
  const auto part = [](const std::string& name) {
    return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n1\r\n";
  };
  parts.body = part("a") + part("sentAt") + "--x--\r\n";
  const std::string with_both = read(content, parts);
  parts.body = part("a") + "--x--\r\n";
  CHECK(read(content, parts) == with_both);
  parts.body = part("sentAt") + "--x--\r\n";
  CHECK(read(content, parts) != with_both);
}

TEST_CASE("content: a text in it, whatever it is") {
  const Selector captured =
      with(selector(Source::content), [](Selector& s) { s.capture = test::regex("id=([a-z]+)"); });
  CHECK(read(captured, body("x id=abc\n")) == "t:abc");
  CHECK(read(captured, body("{\"id=xy\":1,")) == "t:xy");
  CHECK(read(captured, body("")) == "missing");
  Request encoded = headers({{"content-encoding", "br"}});
  encoded.body = "id=abc";
  CHECK(read(captured, encoded) == "unreadable");
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

TEST_CASE("nothing stands in for what a text hides that is not valid JSON") {
  Request request = headers({{"x", R"({"id":1,"id":2})"}, {"y", "1"}});
  const Selector chained = with(selector(Source::header, "x"), [](Selector& s) {
    s.json = {"id"};
    s.otherwise = std::make_shared<const Selector>(selector(Source::header, "y"));
  });
  CHECK(read(chained, request) == "unreadable");
  request.headers[0].second = "text";
  CHECK(read(chained, request) == "t:1");
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
