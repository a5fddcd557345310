#include "config/yaml.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("A repeated key is a problem that names both places") {
  const auto result = load(head + "workers: 1\nworkers: 2\n", "f.yaml", environment_of());
  REQUIRE(!result);
  REQUIRE(result.error().size() == 1);
  CHECK(result.error()[0].text() ==
        "f.yaml:4:1: workers: given twice; the first stands at 3:1\n  workers: 2\n  ^");
  CHECK(problems("log: {level: info, format: json, level: warn}") ==
        Texts{"log.level: given twice; the first stands at 3:7"});
}

TEST_CASE("A repeated header name in a free map is found too") {
  CHECK(policy_problems("match: {headers: {a: x, b: y, a: z}}") ==
        Texts{"match.headers.a: given twice; the first stands at 7:21"});
}

TEST_CASE("An anchor may be used again for a whole value") {
  const Settings settings = loaded(
      "policies:\n"
      "- {name: a, match: {path: /a}, fingerprint: &id [{body: /id}], scope: shared}\n"
      "- {name: b, match: {path: /b}, fingerprint: *id, scope: shared}\n");
  REQUIRE(settings.policies.size() == 2);
  CHECK(settings.policies[1].fingerprint[0].text == "body: /id");
}

TEST_CASE("A merge key is refused") {
  CHECK(problems("limits: &l {pending: 1}\nlog:\n  <<: *l\n") ==
        Texts{"log: merge keys are not supported; give every key, or use an alias for a whole "
              "value"});
}

TEST_CASE("An alias inside the value it names is refused") {
  CHECK(problems("policies: &p [*p]\n") ==
        Texts{"policies[0]: this alias stands inside the value that it names"});
}

TEST_CASE("An alias without an anchor is refused") {
  CHECK(problems("policies: *nowhere\n") ==
        Texts{"not valid YAML: the referenced anchor is not defined"});
}

TEST_CASE("Aliases of aliases do not grow without bound") {
  std::string yaml = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'j'; ++c) {
    yaml += std::string{c} + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) yaml += std::string(i ? "," : "") + "*" + char(c - 1);
    yaml += "]\n";
  }
  CHECK(problems_in(yaml) == Texts{"e[9]: more than 100000 values, aliases followed"});
}

TEST_CASE("Deep nesting is refused") {
  const auto nested = [](std::size_t depth) {
    return problems("policies: " + std::string(depth, '[') + std::string(depth, ']'));
  };
  CHECK(nested(31) == Texts{"policies[0]: expected a map, found a list"});
  const Texts deep = nested(32);
  REQUIRE(deep.size() == 1);
  CHECK(deep[0].find("nested deeper than 32 levels") != std::string::npos);
  CHECK(nested(10'000).size() == 1);
  CHECK(problems("policies: " + std::string(10'000, '[')).size() == 1);
}

TEST_CASE("A second document is refused") {
  const std::string message = "a second document begins here; the configuration is one document";
  CHECK(problems("---\nworkers: 1\n") == Texts{message});
  CHECK(problems("---\n") == Texts{message});
  CHECK(problems_in("---\n" + head) == Texts{});
}

TEST_CASE("An empty file says that it is empty") {
  for (const char* text : {"", "# nothing\n", "---\n", "~\n", "\xef\xbb\xbf"}) {
    CHECK(problems_in(text) == Texts{"the file is empty"});
  }
}

TEST_CASE("A file that is not a map says so") {
  CHECK(problems_in("- a\n") == Texts{"expected a map, found a list"});
  CHECK(problems_in("hello\n") == Texts{"expected a map, found \"hello\""});
}

TEST_CASE("A byte order mark is skipped and moves no column") {
  const auto result = load("\xef\xbb\xbfnope: 1\n" + head, "f.yaml", environment_of());
  REQUIRE(!result);
  CHECK(result.error()[0].column == 1);
  CHECK(result.error()[0].source == "nope: 1");
}

TEST_CASE("Text that is not UTF-8 is refused with its place") {
  const auto at = [](const std::string& text) {
    const auto result = load(text, "f.yaml", environment_of());
    REQUIRE(!result);
    REQUIRE(result.error().size() == 1);
    const Problem& p = result.error()[0];
    return std::to_string(p.line) + ":" + std::to_string(p.column) + ": " + p.message;
  };
  CHECK(at("a: 1\nb: \xff\n") == "2:4: the file is not UTF-8: byte 0xff");
  CHECK(at("a: \xc0\xaf\n") == "1:4: the file is not UTF-8: byte 0xc0");
  CHECK(at("a: \xed\xa0\x80\n") == "1:4: the file is not UTF-8: byte 0xed");
  CHECK(at(std::string("\xff\xfe"
                       "a\0",
                       4)) == "1:1: the file is not UTF-8: byte 0xff");
}

TEST_CASE("Control characters are refused, since byte 4 would end the file unseen") {
  CHECK(problems_in(std::string("a: 1\0b: 2", 9)) == Texts{"control character 0x00"});
  CHECK(problems_in(head + "\x04policies: []\n") == Texts{"control character 0x04"});
  CHECK(problems_in("a: 1\rb: 2\n") == Texts{"control character 0x0d"});
  CHECK(problems_in("listen: 127.0.0.1:0\r\nupstream: {address: \"a:1\"}\r\n") == Texts{});
}

TEST_CASE("A file larger than a mebibyte is refused") {
  CHECK(problems(std::string((1 << 20) + 1, '#')) == Texts{"the file is larger than 1MiB"});
}

TEST_CASE("A syntax error says where, and often what to do") {
  CHECK(problems("log:\n\tlevel: info\n") ==
        Texts{"not valid YAML: illegal map value; the line is indented with a tab, and YAML wants "
              "spaces"});
  CHECK(problems("log: a: b\n") ==
        Texts{"not valid YAML: illegal map value; quote a value that holds ': ', and check the "
              "indentation"});
  CHECK(problems("log: {level: ${LEVEL}}\n") ==
        Texts{"not valid YAML: end of map flow not found; inside [ ] and { }, a value with braces "
              "must be quoted"});
  CHECK(problems("log: {level: info\n") ==
        Texts{"not valid YAML: a quote or bracket that is opened here is not closed"});
}

TEST_CASE("Something opened and not closed is shown where it is opened") {
  const auto result = load(head + "log: {level: info\n", "f.yaml", environment_of());
  REQUIRE(!result);
  CHECK(result.error()[0].line == 3);
  CHECK(result.error()[0].column == 6);
}

TEST_CASE("Tags are refused") {
  CHECK(problems("workers: !!int 5\n") ==
        Texts{"workers: tags are not supported; remove the word that begins with '!'"});
  CHECK(problems("log: !x {level: info}\n") ==
        Texts{"log: tags are not supported; remove the word that begins with '!'"});
}

TEST_CASE("A key is a word") {
  CHECK(problems("? [a]\n: b\n") == Texts{"a key must be a word"});
  CHECK(problems("? {a: b}\n: b\n") == Texts{"a key must be a word"});
  CHECK(problems("~: b\n") == Texts{"a key must be a word"});
}

TEST_CASE("A missing value is reported at its key") {
  const auto result = load(head + "log:\n\n\nworkers: 1\n", "f.yaml", environment_of());
  REQUIRE(!result);
  REQUIRE(result.error().size() == 1);
  CHECK(result.error()[0].text() ==
        "f.yaml:3:1: log: expected a map, found nothing; its keys are indented "
        "below it\n  log:\n  ^");
}

}  // namespace
}  // namespace onceproxy::config
