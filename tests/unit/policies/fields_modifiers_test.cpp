// Modifiers, defaults and chains of fields.
#include <catch2/catch.hpp>

#include "reading.hpp"

using namespace onceproxy::policies;
using namespace onceproxy::policies::test;

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
