#include "policies/accept_encoding.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;

namespace {

bool named(std::vector<std::string> values, std::string_view coding = "gzip") {
  Request request;
  for (const std::string& value : values) request.headers.emplace_back("accept-encoding", value);
  return names_coding(request.view(), coding);
}

}  // namespace

TEST_CASE("a coding is named by its name, or by a star") {
  for (const char* value :
       {"gzip", "GZIP", "x-gzip", "br, gzip", "gzip;q=1", "gzip ; q=0.001", "*", "*;q=0.5",
        "identity, *", "gzip, *;q=0", ",gzip,", "gzip;x=1", "gzip;q=nonsense", "\tgzip\t"}) {
    CAPTURE(value);
    CHECK(named({value}));
  }
  CHECK(named({"br", "gzip"}));
  CHECK(named({"gzip"}, "x-gzip"));
  CHECK(named({"deflate"}, "deflate"));
}

TEST_CASE("a coding that is refused, or not mentioned, is not named") {
  for (const char* value :
       {"", "identity", "br", "gzip;q=0", "gzip;q=0.0", "gzip; Q=0.000", "*;q=0", "gzip;q=0, *",
        "identity;q=1, *;q=0", "gzipp", "x-gzi", "gzip;a=1;q=0"}) {
    CAPTURE(value);
    CHECK_FALSE(named({value}));
  }
  CHECK_FALSE(named({}));
  CHECK_FALSE(named({"gzip"}, "deflate"));
}
