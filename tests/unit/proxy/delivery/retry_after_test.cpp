#include "proxy/delivery/retry_after.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

using std::chrono::seconds;

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
constexpr seconds example{784'111'777};

TEST_CASE("Retry-After in seconds is taken as it is", "[retry_after]") {
  CHECK(retry_after("0", example) == seconds(0));
  CHECK(retry_after("120", example) == seconds(120));
}

TEST_CASE("Retry-After as a date is the time until then, in each of the three formats",
          "[retry_after]") {
  for (const char* const date : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                 "Sun Nov  6 08:49:37 1994"}) {
    CHECK(retry_after(date, example - seconds(90)) == seconds(90));
  }
}

TEST_CASE("A date that is past asks for no delay", "[retry_after]") {
  CHECK(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", example + seconds(5)) == seconds(0));
}

TEST_CASE("No answer delays an attempt beyond the limit", "[retry_after]") {
  CHECK(retry_after("99999999", example) == seconds(retry_after_max));
  CHECK(retry_after("99999999999999999999999999", example) == seconds(retry_after_max));
  CHECK(retry_after("Sun, 06 Nov 2094 08:49:37 GMT", example) == seconds(retry_after_max));
}

TEST_CASE("What is neither seconds nor a date is no value", "[retry_after]") {
  for (const char* const text : {"", "-1", "1.5", "soon", "1 s", "06 Nov 1994 08:49:37 GMT",
                                 "Sun, 06 Nov 1994 08:49:37 GMT and more"}) {
    INFO(text);
    CHECK_FALSE(retry_after(text, example));
  }
}

}  // namespace
}  // namespace onceproxy::delivery
