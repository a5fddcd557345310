#include "store/base64.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::store {
namespace {

TEST_CASE("the test vectors of RFC 4648, section 10") {
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("bytes of any value are encoded") {
  CHECK(base64(std::string(3, '\0')) == "AAAA");
  CHECK(base64("\xfb\xef\xbe") == "++++");
  CHECK(base64("\xff\xff\xff\xff") == "/////w==");
}

}  // namespace
}  // namespace onceproxy::store
