#include "policies/client_key.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("quoted and bare spellings name one key") {
  const std::string uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
  const std::pair<std::string, std::string> cases[] = {
      {uuid, uuid},
      {"\"" + uuid + "\"", uuid},
      {"  \"" + uuid + "\"\t", uuid},
      {"\t" + uuid + " ", uuid},
      {"a", "a"},
      {"\"a\"", "a"},
      {"\"a b\"", "a b"},
      {"\" \"", " "},
      {"\"a,b\"", "a,b"},
      {R"("a\"b\\c")", R"(a"b\c)"},
      {R"("\\")", R"(\)"},
      {R"("\"")", R"(")"},
      {R"("a\"")", R"(a")"},
      {R"("\\a\\b\"c d")", R"(\a\b"c d)"},
      {R"(a\b)", R"(a\b)"},
      {"a;b=c", "a;b=c"},
      {"!#$%&'()*+-./:;<=>?@[\\]^_`{|}~", "!#$%&'()*+-./:;<=>?@[\\]^_`{|}~"},
      {std::string(255, 'x'), std::string(255, 'x')},
      {"\"" + std::string(255, 'x') + "\"", std::string(255, 'x')},
  };
  for (const auto& [value, key] : cases) {
    INFO(value);
    std::string scratch = "left over";
    const auto parsed = parse_client_key(value, scratch);
    REQUIRE(parsed);
    CHECK(*parsed == key);
  }
}

TEST_CASE("parameters after a quoted key are checked and ignored") {
  for (const char* parameters :
       {";a", ";a;b", "; a=1", ";  a=-1.5", ";a=\"x;\\\"y\"", ";a=token/x:y", ";a=*t", ";a=?1",
        ";a=:aGk=:", ";a=::", ";*a-_.*0=1", ";a=@1659578233", ";a=@-5", ";a=%\"f%c3%bc\"",
        ";a=999999999999999", ";a=999999999999.999"}) {
    INFO(parameters);
    std::string scratch;
    CHECK(parse_client_key(std::string("\"key\"") + parameters, scratch).value() == "key");
  }
}

TEST_CASE("anything else is a bad key") {
  const std::string values[] = {
      "",
      " ",
      "\t",
      "\"\"",
      "\"\";a=1",
      // bare
      "a b",
      "a,b",
      "a, a",
      ",",
      "a\"",
      "a\"b\"",
      "a\tb",
      "caf\xc3\xa9",
      std::string("a\0b", 3),
      "a\x7f",
      "a\x1f",
      std::string(256, 'x'),
      // quoted
      "\"",
      "\"a",
      "a\"",
      "\"a\\\"",
      "\"a\\n\"",
      "\"a\\",
      "\"a\tb\"",
      "\"caf\xc3\xa9\"",
      "\"a\x7f\"",
      "\"a\"\"b\"",
      "\"a\"b",
      "\"a\" b",
      "\"a\",",
      "\"a\", \"b\"",
      "\"a\",\"a\"",
      "\"" + std::string(256, 'x') + "\"",
      // parameters
      "\"a\";",
      "\"a\"; ",
      "\"a\" ;b",
      "\"a\";b;",
      "\"a\";B=1",
      "\"a\";1=1",
      "\"a\";b=",
      "\"a\";b =1",
      "\"a\";b= 1",
      "\"a\";b=1x",
      "\"a\";b=1.",
      "\"a\";b=.5",
      "\"a\";b=1.2345",
      "\"a\";b=-",
      "\"a\";b=?2",
      "\"a\";b=\"x",
      "\"a\";b=:a",
      "\"a\";b=:a!:",
      "\"a\";b=@",
      "\"a\";b=@1.5",
      "\"a\";b=%x",
      "\"a\";b=%\"%C3\"",
      "\"a\";b=%\"%c\"",
      "\"a\";b=(1)",
      "\"a\";b=1000000000000000",
      "\"a\";b=1000000000000.1",
  };
  for (const std::string& value : values) {
    INFO(value);
    std::string scratch;
    const auto parsed = parse_client_key(value, scratch);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().empty());
  }
}
