#include "policies/inner_values.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::selector;

namespace {

std::vector<std::string> pointer(const char* text) {
  return parse_pointer(text).value();
}

Selector with(Selector selector, void (*change)(Selector&)) {
  change(selector);
  return selector;
}

/// The type's letter, a colon and the text; "missing"; or why it is unreadable.
std::string told(const Found& found, const std::string& out) {
  if (!found) return found.error().detail;
  if (!*found) return "missing";
  return std::string(1, static_cast<char>(**found)) + ":" + out;
}

std::string in_text(const Selector& selector, std::string_view text) {
  std::string out;
  const Found found = append_text(selector, text, out);
  return told(found, out);
}

std::string in_texts(const Selector& selector, const std::vector<std::string>& texts) {
  std::string out;
  const Found found = append_texts(selector, texts, out);
  return told(found, out);
}

std::string in_json(const Selector& selector, std::string_view text) {
  const auto tree = JsonTree::parse(text);
  REQUIRE(tree);
  std::string out;
  const Found found = append_member(selector, *tree, out);
  return told(found, out);
}

Selector body(
    const char* pointer, void (*change)(Selector&) = [](Selector&) {}) {
  return with(selector(Source::body, pointer), change);
}

Selector form(void (*change)(Selector&)) {
  return with(selector(Source::form, "f"), change);
}

}  // namespace

TEST_CASE("a star is every element, and none of them may lack the rest") {
  const char* const text =
      R"({"a":[{"x":1,"y":[{"z":1},{"z":2}]},{"x":"2","y":[]}],"b":[1,{"x":1}],"c":{"*":1},"e":[]})";
  const auto every = [&](const char* pointer) { return in_json(body(pointer), text); };
  CHECK(every("/a/*/x") == R"(j:[1,"2"])");
  CHECK(every("/a/*/y/*/z") == "j:[[1,2],[]]");
  CHECK(every("/b/*") == R"(j:[1,{"x":1}])");
  CHECK(every("/e/*") == "j:[]");
  CHECK(every("/e/*/x") == "j:[]");
  for (const char* none : {"/b/*/x", "/c/*", "/d/*", "/a/*/y/0", "/*"}) {
    INFO(none);
    CHECK(every(none) == "missing");
  }
}

TEST_CASE("take keeps fields of one element together") {
  const Selector taken = body("/a/*", [](Selector& s) {
    s.take = {pointer("/id"), pointer("/n")};
  });
  CHECK(in_json(taken, R"({"a":[{"n":1.0,"id":"x","m":9},{"id":"y","n":2}]})") ==
        R"(j:[["x",1],["y",2]])");
  CHECK(in_json(taken, R"({"a":[]})") == "j:[]");
  CHECK(in_json(taken, R"({"a":[{"id":"x"}]})") == "missing");
  CHECK(in_json(taken, R"({"a":[1]})") == "missing");
  const Selector set = with(taken, [](Selector& s) { s.sort = true; });
  const char* const one = R"({"a":[{"id":"y","n":2},{"id":"x","n":1},{"id":"y","n":2}]})";
  CHECK(in_json(set, one) == R"(j:[["x",1],["y",2]])");
  CHECK(in_json(set, R"({"a":[{"id":"y","n":1},{"id":"x","n":2}]})") == R"(j:[["x",2],["y",1]])");
  CHECK(in_json(body("/o",
                     [](Selector& s) {
                       s.take = {pointer("/b/*"), pointer("/c")};
                     }),
                R"({"o":{"b":[1,2],"c":{"d":" X"}}})") == R"(j:[[1,2],{"d":" X"}])");
  CHECK(in_json(body("/o",
                     [](Selector& s) {
                       s.take = {pointer("/c")};
                       s.lower = s.trim = true;
                     }),
                R"({"o":{"c":{"d":" X"}}})") == R"(j:[{"d":"x"}])");
}

TEST_CASE("decode undoes base64 and percent-encoding of text") {
  const Selector base64 = form([](Selector& s) { s.decode = Decode::base64; });
  CHECK(in_text(base64, "Zm9v") == "t:foo");
  CHECK(in_text(base64, "Zm9*") == "The text of `selector: f` is not base64 at byte 3.");
  CHECK(in_text(form([](Selector& s) { s.decode = Decode::percent; }), "%2Fs%2541") == "t:/s%41");
  CHECK(in_json(body("/a", [](Selector& s) { s.decode = Decode::base64; }), R"({"a":7})") ==
        "missing");
  CHECK(in_json(body("/a/*", [](Selector& s) { s.decode = Decode::base64; }),
                R"({"a":["Zm9v","YmFy"]})") == R"(j:["foo","bar"])");
}

TEST_CASE("json reads a document in a text, as a body is read") {
  const Selector id = form([](Selector& s) { s.json = pointer("/id"); });
  CHECK(in_text(id, R"({"id":"x","at":1})") == "t:x");
  CHECK(in_text(id, R"({"at":1,"id":1.0})") == "j:1");
  CHECK(in_text(id, R"({"id":{"b":1,"a":"\u0041"}})") == R"(j:{"a":"A","b":1})");
  CHECK(in_text(id, "{}") == "missing");
  CHECK(in_text(form([](Selector& s) { s.json = pointer("/l/*/n"); }),
                R"({"l":[{"n":2},{"n":1}]})") == "j:[2,1]");
  CHECK(in_text(form([](Selector& s) {
                  s.json = pointer("/l/*/n");
                  s.sort = true;
                }),
                R"({"l":[{"n":2},{"n":1}]})") == "j:[1,2]");
}

TEST_CASE("a text that is not JSON has no fields, one that begins like it is unreadable") {
  const Selector id = form([](Selector& s) { s.json = pointer("/id"); });
  for (const char* text : {"", "hello", "NaN", "'{}'"}) {
    INFO(text);
    CHECK(in_text(id, text) == "missing");
  }
  CHECK(in_text(id, R"({"id":1,"id":2})") ==
        "The JSON in the text of `selector: f` is not valid: a member name is repeated at byte 8.");
  CHECK(in_text(id, R"( {"id":1)") ==
        "The JSON in the text of `selector: f` is not valid: the document ends too early at byte "
        "8.");
}

TEST_CASE("capture takes what its group matches, at the first place where it matches") {
  const Selector name = form([](Selector& s) { s.capture = test::regex("CN=([^,]*)"); });
  CHECK(in_text(name, "O=b,CN=a,CN=c") == "t:a");
  CHECK(in_text(name, "CN=") == "t:");
  CHECK(in_text(name, "O=b") == "missing");
  CHECK(in_text(form([](Selector& s) { s.capture = test::regex("a(x)?b"); }), "ab") == "missing");
  const Selector digits = body("/a", [](Selector& s) { s.capture = test::regex("^([0-9]+)"); });
  CHECK(in_json(digits, R"({"a":"12x"})") == "t:12");
  CHECK(in_json(digits, R"({"a":12.50})") == "t:12");
  CHECK(in_json(digits, R"({"a":["12"]})") == "missing");
  CHECK(in_json(digits, R"({"a":true})") == "missing");
  CHECK(in_json(body("/a/*", [](Selector& s) { s.capture = test::regex("^(.)"); }),
                R"({"a":["xy",42]})") == R"(j:["x","4"])");
}

TEST_CASE("modifiers apply in one order, wherever they are written") {
  // Base64 of {"m":[" ID-1.50 "," ID-2 "]}
  const char* const encoded = "eyJtIjpbIiBJRC0xLjUwICIsIiBJRC0yICJdfQ==";
  const Selector all = form([](Selector& s) {
    s.sort = true;
    s.round = 1;
    s.lower = true;
    s.trim = true;
    s.capture = test::regex("ID-(.*)");
    s.json = pointer("/m/*");
    s.decode = Decode::base64;
  });
  CHECK(in_text(all, encoded) == R"(j:["1.5","2"])");
  CHECK(in_json(body("/e/*",
                     [](Selector& s) {
                       s.take = {pointer("/d")};
                       s.decode = Decode::base64;
                       s.json = pointer("/m/0");
                       s.capture = test::regex("ID-(.*)");
                       s.trim = true;
                     }),
                std::string(R"({"e":[{"d":")") + encoded + R"("}]})") == R"(j:[["1.50"]])");
}

TEST_CASE("each of several texts is looked into") {
  const Selector id = form([](Selector& s) { s.json = pointer("/id"); });
  CHECK(in_texts(id, {}) == "missing");
  CHECK(in_texts(id, {R"({"id":"x"})"}) == "t:x");
  CHECK(in_texts(id, {R"({"id":"x"})", R"({"id":2.0})"}) == R"(j:["x",2])");
  CHECK(in_texts(id, {R"({"id":"x"})", "{}"}) == "missing");
  CHECK(in_texts(id, {R"({"id":"x"})", "{"}).starts_with("The JSON in the text of"));
  const Selector set = form([](Selector& s) {
    s.sort = true;
    s.capture = test::regex("(.)$");
  });
  CHECK(in_texts(set, {"ab", "aa", "cb"}) == R"(j:["a","b"])");
}

TEST_CASE("a default stands for what would have been found inside") {
  const auto standing = [](Selector selector, std::string_view text) {
    std::string out;
    const Found found = append_default(selector, text, out);
    return told(found, out);
  };
  const Selector inner = form([](Selector& s) {
    s.decode = Decode::base64;
    s.json = pointer("/id");
  });
  CHECK(standing(inner, "0") == "j:0");
  CHECK(standing(inner, "none") == "t:none");
  CHECK(standing(with(inner, [](Selector& s) { s.capture = test::regex("(.)"); }), "0") == "t:0");
  CHECK(standing(form([](Selector& s) { s.decode = Decode::base64; }), "X") == "t:X");
  CHECK(standing(body("/a",
                      [](Selector& s) {
                        s.take = {pointer("/x")};
                        s.lower = s.sort = true;
                      }),
                 R"(["B","A"])") == R"(j:["a","b"])");
}
