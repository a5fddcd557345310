#include "policies/json.hpp"

#include <catch2/catch.hpp>

#include "policies/canonical.hpp"

using namespace onceproxy::policies;

namespace {

std::optional<std::string> canonical(std::string_view text) {
  const auto tree = JsonTree::parse(text);
  if (!tree) return std::nullopt;
  std::string out;
  append_canonical(*tree, 0, Selector{}, out);
  return out;
}

std::string nested(int depth, std::string_view open, std::string_view close,
                   std::string_view middle) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += middle;
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("a document has one canonical form whatever its spelling") {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "{}"},
      {" { } ", "{}"},
      {"[]", "[]"},
      {"[ 1 , 2,3 ]", "[1,2,3]"},
      {R"({"a":1.0})", R"({"a":1})"},
      {R"({ "a": 1 })", R"({"a":1})"},
      {R"({"a":10e-1})", R"({"a":1})"},
      {R"({"b":1,"a":2})", R"({"a":2,"b":1})"},
      {R"({"a":{"d":[],"c":null},"":true})", R"({"":true,"a":{"c":null,"d":[]}})"},
      {R"({"\u0061":1})", R"({"a":1})"},
      {R"(["\u00e9\/\"\\\b\f\n\r\t\u000f\u001F\u007f"])",
       "[\"é/\\\"\\\\\\b\\f\\n\\r\\t\\u000f\\u001f\x7f\"]"},
      {R"(["\ud83d\ude00","😀","\uD83D\uDE00"])", "[\"😀\",\"😀\",\"😀\"]"},
      {R"(["\u0000"])", R"(["\u0000"])"},
      {R"([true,false,null])", "[true,false,null]"},
      {R"([9007199254740993,9007199254740992,1e400,-0])",
       "[9007199254740993,9007199254740992,1e+400,0]"},
      {R"("text")", R"("text")"},
      {" \"te\\u0078t\"\n", R"("text")"},
      {R"("")", R"("")"},
      {"1.50", "1.5"},
      {"\t-0\r\n", "0"},
      {"null", "null"},
      {"true", "true"},
      {R"([[[["a"],[]],{}],{"x":[{"z":1,"y":2}]}])", R"([[[["a"],[]],{}],{"x":[{"y":2,"z":1}]}])"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const auto first = canonical(text);
    REQUIRE(first);
    CHECK(*first == expected);
    CHECK(canonical(*first) == first);
  }
}

TEST_CASE("member names sort by UTF-16 code units, as the example of RFC 8785 has it") {
  CHECK(
      canonical(
          R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
                      "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
                      "\u00f6":"Latin Small Letter O With Diaeresis"})") ==
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\","
      "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\","
      "\"😀\":\"Emoji: Grinning Face\",\"\uFB33\":\"Hebrew Letter Dalet With Dagesh\"}");
  CHECK(canonical(R"({"ab":1,"a":2,"":3,"b":4})") == R"({"":3,"a":2,"ab":1,"b":4})");
}

TEST_CASE("text that two parsers could read differently is not valid JSON") {
  const std::string cases[] = {
      // repeated names, also those that are one only once unescaped, at any depth
      R"({"a":1,"a":1})",
      R"({"a":1,"\u0061":2})",
      R"([{"b":{"c":1,"d":2,"c":3}}])",
      R"({"":1,"":2})",
      // strings
      R"({"\ud800":1,"\uD800":2})",
      R"(["\ud83d\u12"])",
      R"(["\ud83d\u"])",
      R"(["\x41"])",
      R"(["\u12g4"])",
      R"(["\u123"])",
      R"(["\U0041"])",
      "[\"a\nb\"]",
      "[\"a\tb\"]",
      std::string("[\"a\0b\"]", 7),
      "[\"\xff\"]",
      "[\"\xc0\xaf\"]",
      "[\"\xed\xa0\x80\"]",
      "[\"\xf4\x90\x80\x80\"]",
      "\"\xff\"",
      "\"a\nb\"",
      "\"open",
      "\"a\"b\"",
      "\"\\\"",
      "['a']",
      // structure
      "",
      " ",
      "{",
      "[",
      "}",
      "]",
      "[1",
      "[1,",
      "[1,]",
      "[,1]",
      "[1 2]",
      "[1,,2]",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1,}",
      "{,\"a\":1}",
      "{\"a\" 1}",
      "{\"a\":1 \"b\":2}",
      "{a:1}",
      "{1:1}",
      "{\"a\":1:2}",
      "[1]]",
      "[[1]",
      "{\"a\":[1}",
      "[{]}",
      "{}{}",
      "[] []",
      "[1] x",
      "1 2",
      "null null",
      "{\"a\":1}}",
      "[\"a\"b]",
      "[1\"a\"]",
      "[\"a\"\"b\"]",
      "{\"a\"\"b\":1}",
      "{\"a\":1,2}",
      "[1:2]",
      "[{}{}]",
      "{null:1}",
      "{[1]:2}",
      // scalars
      "[01]",
      "[1.]",
      "[.5]",
      "[+1]",
      "[-]",
      "[1e]",
      "[0x1]",
      "[NaN]",
      "[Infinity]",
      "[tru]",
      "[truex]",
      "[nul]",
      "[True]",
      "[nulll]",
      "nullx",
      "tru",
      "01",
      "[1\f]",
      "[1a]",
      "[true1]",
      "[-true]",
      "[1-2]",
      "[1e99999999999999999999]",
      // comments, byte order marks that are not at the front
      "[1] // x",
      "/* x */ [1]",
      "[1]\xef\xbb\xbf",
      "\xef\xbb\xbf\xef\xbb\xbf[1]",
      " \xef\xbb\xbf[1]",
      std::string("[1]\0", 4),
      std::string("\0[1]", 4),
  };
  for (const std::string& text : cases) {
    INFO(text);
    CHECK_FALSE(JsonTree::parse(text));
  }
}

TEST_CASE("half a surrogate pair is read, and written as the escape it was") {
  const std::pair<std::string, std::string> cases[] = {
      {R"(["\uD83D"])", R"(["\ud83d"])"},
      {R"(["\udc00"])", R"(["\udc00"])"},
      {R"(["\uDFFF!"])", R"(["\udfff!"])"},
      {R"(["a\ud800\n"])", R"(["a\ud800\n"])"},
      {R"(["\ud800\ud800"])", R"(["\ud800\ud800"])"},
      {R"(["\udc00\ud800"])", R"(["\udc00\ud800"])"},
      {R"(["\ud83d\ud83d\ude00"])", "[\"\\ud83d😀\"]"},
      {R"(["\ud83d\u0041\ud7ff\ue000"])", "[\"\\ud83dA\ud7ff\ue000\"]"},
      {R"({"\ud83d":1,"a":2,"\ud83d\ude00":3})", "{\"a\":2,\"\\ud83d\":1,\"😀\":3}"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const auto first = canonical(text);
    REQUIRE(first);
    CHECK(*first == expected);
    CHECK(canonical(*first) == first);
  }
  CHECK(canonical(R"(["\ud83d"])") != canonical(R"(["\ud83e"])"));
  CHECK(canonical(R"(["\ud83d"])") != canonical(R"(["\\ud83d"])"));
}

TEST_CASE("a byte order mark before the document is skipped") {
  CHECK(canonical("\xef\xbb\xbf[1]") == "[1]");
  CHECK(canonical("\xef\xbb\xbf \n{\"a\":1}\n") == "{\"a\":1}");
  CHECK(canonical("[\"\xef\xbb\xbf\"]") == "[\"\xef\xbb\xbf\"]");
}

TEST_CASE("a fault has a name and the place where it was found") {
  struct Case {
    std::string text;
    std::size_t at;
    std::string_view what;
  };
  const Case cases[] = {
      {R"({"id":"e1","cpu":NaN})", 17, "a JSON value is missing"},
      {R"({"id":"e1","tag":1,"tag":2})", 19, "a member name is repeated"},
      {R"({"\u0061":1,"b":2,"a":3})", 18, "a member name is repeated"},
      {R"({"a":1,"b":2,"\u0061":3})", 13, "a member name is repeated"},
      {R"([{"a":{"x":1,"x":2}},{"a":1,"a":2}])", 13, "a member name is repeated"},
      {R"({"id":"e1","text":"abc)", 22, "the document ends too early"},
      {R"({"id":"e1)", 9, "the document ends too early"},
      {R"({"id":"\)", 8, "the document ends too early"},
      {R"({"id")", 5, "the document ends too early"},
      {R"({"id":)", 6, "the document ends too early"},
      {R"({"id":1)", 7, "the document ends too early"},
      {R"({"id":1,})", 8, "a member has no name in quotes"},
      {R"({id:1})", 1, "a member has no name in quotes"},
      {R"({"id" 1})", 6, "a colon is missing"},
      {R"({"id":1 "b":2})", 8, "a comma or } is missing"},
      {R"([1 2])", 3, "a comma or ] is missing"},
      {R"([1,])", 3, "a JSON value is missing"},
      {R"([01])", 1, "a number is malformed"},
      {R"([1e9999999999999999])", 1, "a number is malformed"},
      {R"(["a","\x"])", 6, "a string holds an invalid escape"},
      {"[\"a\nb\"]", 3, "a string holds a control character"},
      {"[1] x", 4, "something follows the document"},
      {"  [1]\n]", 6, "something follows the document"},
      {"\xef\xbb\xbf[,]", 4, "a JSON value is missing"},
      {"{\"name\":\"M\xfcller\"}", 10, "this is not UTF-8"},
      {"\xff\xfe{", 0, "this is not UTF-8"},
      {std::string(9'000, ' ') + "[\"é\xed\xa0\x80\"]", 9'004, "this is not UTF-8"},
      {"[\"" + std::string(9'000, 'x') + "\xc3", 9'002, "this is not UTF-8"},
      {std::string("{\0\"\0", 4), 1, "a member has no name in quotes"},
      {nested(65, "[", "]", ""), 64, "arrays and objects are nested too deeply"},
      {"", 0, "a JSON value is missing"},
  };
  for (const Case& one : cases) {
    INFO(one.text.substr(0, 60));
    const auto tree = JsonTree::read(one.text);
    REQUIRE_FALSE(tree);
    CHECK(tree.error().at == one.at);
    CHECK(tree.error().what == one.what);
  }
}

TEST_CASE("nesting is bounded, and no deeper body costs more than being refused") {
  CHECK(canonical(nested(JsonTree::depth_max, "[", "]", "")));
  CHECK_FALSE(canonical(nested(JsonTree::depth_max + 1, "[", "]", "")));
  CHECK(canonical(nested(JsonTree::depth_max, "{\"a\":", "}", "1")));
  CHECK_FALSE(canonical(nested(JsonTree::depth_max + 1, "{\"a\":", "}", "1")));
  CHECK_FALSE(canonical(nested(100'000, "[", "]", "")));
  CHECK_FALSE(canonical(std::string(1'000'000, '[')));
}

TEST_CASE("trees of one thread do not disturb each other") {
  const std::string first = R"({"key":"one\n","list":[1,2,3]})";
  const std::string second = R"({"key":"other\t","list":[9,8]})";
  const auto a = JsonTree::parse(first);
  const auto b = JsonTree::parse(second);
  REQUIRE((a && b));
  CHECK(a->text(*a->member(0, "key")) == "one\n");
  CHECK(b->text(*b->member(0, "key")) == "other\t");
  CHECK(a->children(*a->member(0, "list")).size() == 3);
}

TEST_CASE("large documents are read like small ones") {
  std::string text = "[";
  for (int i = 0; i < 50'000; ++i) text += (i != 0 ? "," : "") + std::to_string(i);
  text += "]";
  REQUIRE(text.size() > 64 * 1024);
  CHECK(canonical(text) == text);
}

TEST_CASE("members are found by their unescaped names") {
  const std::string text = R"({"b":1,"\u00e9":2,"😀":3,"\uffff":4,"a":5})";
  const auto tree = JsonTree::parse(text);
  REQUIRE(tree);
  for (const auto& [name, value] :
       {std::pair("a", "5"), {"b", "1"}, {"é", "2"}, {"😀", "3"}, {"\uffff", "4"}}) {
    INFO(name);
    const auto* member = tree->member(0, name);
    REQUIRE(member != nullptr);
    CHECK(tree->text(*member) == value);
  }
  CHECK(tree->member(0, "c") == nullptr);
  CHECK(tree->member(0, "") == nullptr);
}

TEST_CASE("a member is taken over as it is written only where that is its canonical form") {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"a":"b"})", R"("a":"b")"},
      {R"({"a":""})", R"("a":"")"},
      {R"({"":"b"})", R"("":"b")"},
      {R"({"a":-12.5})", R"("a":-12.5)"},
      {R"({"a":true})", R"("a":true)"},
      {R"({"a":false})", R"("a":false)"},
      {R"({"a":null })", R"("a":null)"},
      {R"({ "a":"é"})", R"("a":"é")"},
      {R"({"a" :1})", ""},
      {R"({"a": 1})", ""},
      {R"({"a":1.0})", ""},
      {R"({"a":1e3})", ""},
      {R"({"\u0061":1})", ""},
      {R"({"a":"\u0062"})", ""},
      {R"({"\u0061":"\u0062"})", ""},
      {R"({"a":[]})", ""},
      {R"({"a":{}})", ""},
  };
  for (const auto& [text, written] : cases) {
    INFO(text);
    const auto tree = JsonTree::parse(text);
    REQUIRE(tree);
    CHECK(tree->verbatim(tree->children(0)[0]) == written);
  }
}
