// What counts as the content of a body, and the fields of bodies by their media type.
#include <catch2/catch.hpp>

#include "reading.hpp"

using namespace onceproxy::policies;
using namespace onceproxy::policies::test;

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
  // The type with which curl sends JSON by default.
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
