#include "policies/percent.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("percent-encoding is undone once, and a plus is no space") {
  CHECK(decode_percent("") == "");
  CHECK(decode_percent("a+b") == "a+b");
  CHECK(decode_percent("Euro%20%E2%82%AC") == "Euro \xE2\x82\xAC");
  CHECK(decode_percent("%2541") == "%41");
  CHECK(decode_percent("%41%4g%") == "A%4g%");
  CHECK(decode_percent("%4") == "%4");
  CHECK(decode_percent("%e2%9C%93") == "\xE2\x9C\x93");
}

TEST_CASE("read strictly, a percent sign has two digits behind it") {
  CHECK(decode_percent_strictly("a%2Fb%c3%BC+") == "a/b\xC3\xBC+");
  CHECK(decode_percent_strictly("%2541") == "%41");
  CHECK(decode_percent_strictly("") == "");
  for (const char* text : {"%", "%4", "a%4g", "%g4", "%%41", "%41%"}) {
    CHECK_FALSE(decode_percent_strictly(text));
  }
}

TEST_CASE("all characters that are not unreserved are encoded") {
  CHECK(encode_percent("azAZ09-._~") == "azAZ09-._~");
  CHECK(encode_percent("/?#% \n") == "%2F%3F%23%25%20%0A");
  CHECK(encode_percent("\xC3\xBC") == "%C3%BC");
}
