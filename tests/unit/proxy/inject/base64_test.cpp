#include "proxy/inject/base64.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::inject {
namespace {

TEST_CASE("the test vectors of RFC 4648, section 10") {
  CHECK(encode_base64("").empty());
  CHECK(encode_base64("f") == "Zg==");
  CHECK(encode_base64("fo") == "Zm8=");
  CHECK(encode_base64("foo") == "Zm9v");
  CHECK(encode_base64("foob") == "Zm9vYg==");
  CHECK(encode_base64("fooba") == "Zm9vYmE=");
  CHECK(encode_base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("bytes of any value are encoded") {
  CHECK(encode_base64(std::string(3, '\0')) == "AAAA");
  CHECK(encode_base64("\xfb\xef\xbe") == "++++");
  CHECK(encode_base64("\xff\xff\xff\xff") == "/////w==");
}

}  // namespace
}  // namespace onceproxy::inject
