#include "policies/decode.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("base64 is read in both alphabets, with padding or without") {
  // The vectors of RFC 4648 section 10.
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : vectors) {
    INFO(encoded);
    CHECK(decode_base64(encoded) == std::string(text));
    const std::string bare = std::string(encoded).substr(0, std::string(encoded).find('='));
    CHECK(decode_base64(bare) == std::string(text));
  }
  CHECK(decode_base64("+/+/") == decode_base64("-_-_"));
  CHECK(decode_base64("AP8=") == std::string("\0\xff", 2));
}

TEST_CASE("white space between the characters of base64 does not count") {
  CHECK(decode_base64(" Zm9v\r\nYmFy\t") == std::string("foobar"));
  CHECK(decode_base64("Zg =\n= ") == std::string("f"));
}

TEST_CASE("text that is not base64 is reported with its place") {
  const auto place = [](const char* text) { return decode_base64(text).error(); };
  CHECK(place("Zm9*") == 3);
  CHECK(place("Zg==Zg==") == 4);
  CHECK(place("Zg===") == 4);
  CHECK(place("Zg=") == 3);
  CHECK(place("Z") == 1);
  CHECK(place("Zm9vY") == 5);
  CHECK(place("=") == 0);
  CHECK(place("Zm9v=") == 4);
  CHECK(place("{\"a\":1}") == 0);
}
