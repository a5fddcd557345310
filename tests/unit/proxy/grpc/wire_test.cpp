#include "proxy/grpc/wire.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::grpc {

using std::chrono::milliseconds;

TEST_CASE("timeouts are read in all units, rounded up") {
  CHECK(parse_timeout("1H") == milliseconds(3'600'000));
  CHECK(parse_timeout("2M") == milliseconds(120'000));
  CHECK(parse_timeout("3S") == milliseconds(3'000));
  CHECK(parse_timeout("250m") == milliseconds(250));
  CHECK(parse_timeout("1u") == milliseconds(1));
  CHECK(parse_timeout("1000u") == milliseconds(1));
  CHECK(parse_timeout("1001u") == milliseconds(2));
  CHECK(parse_timeout("99999999n") == milliseconds(100));
  CHECK(parse_timeout("0S") == milliseconds(0));
}

TEST_CASE("a timeout longer than a year is a year") {
  CHECK(parse_timeout("99999999H") == milliseconds(timeout_max));
}

TEST_CASE("what is not a timeout is none") {
  for (const char* const text :
       {"", "S", "1", "1s", "1 S", "-1S", "+1S", "1.5S", "100000000S", "0x1S", "S1", "1SS"}) {
    INFO(text);
    CHECK_FALSE(parse_timeout(text));
  }
}

TEST_CASE("a content type is gRPC's with a format or parameters, and nothing else") {
  CHECK(is_grpc("application/grpc"));
  CHECK(is_grpc("application/grpc+proto"));
  CHECK(is_grpc("application/grpc;charset=utf-8"));
  CHECK_FALSE(is_grpc("application/grpc-web"));
  CHECK_FALSE(is_grpc("application/json"));
  CHECK_FALSE(is_grpc(""));
}

TEST_CASE("messages of statuses are percent-encoded but for visible ASCII") {
  CHECK(percent_encoded("plain text!") == "plain text!");
  CHECK(percent_encoded("100 %") == "100 %25");
  CHECK(percent_encoded("a\nb\r\x7f") == "a%0Ab%0D%7F");
  CHECK(percent_encoded("\xc3\xa9") == "%C3%A9");
}

TEST_CASE("a long message of a status is cut off at a character's end") {
  CHECK(percent_encoded(std::string(2'000, 'x')).size() == status_message_bytes_max);
  const std::string text = std::string(status_message_bytes_max - 1, 'x') + "\xc3\xa9";
  CHECK(percent_encoded(text) == std::string(status_message_bytes_max - 1, 'x'));
}

TEST_CASE("trailers say the status, and a message where there is one") {
  const http2::Fields ok = trailers_of({});
  REQUIRE(ok.size() == 1);
  CHECK(ok[0].name == "grpc-status");
  CHECK(ok[0].value == "0");
  const http2::Fields bad = trailers_of({StatusCode::unavailable, "try\nlater"});
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].value == "14");
  CHECK(bad[1].name == "grpc-message");
  CHECK(bad[1].value == "try%0Alater");
}

}  // namespace onceproxy::grpc
