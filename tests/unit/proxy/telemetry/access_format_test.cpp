#include "proxy/telemetry/access_format.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace onceproxy::telemetry {
namespace {

std::string wrong(std::string_view format) {
  const auto made = AccessFormat::text(format);
  return made ? "" : std::to_string(made.error().offset) + ": " + made.error().message;
}

TEST_CASE("A format is taken apart into operators and what stands between them") {
  const auto made = AccessFormat::text("[%PROTOCOL%] 100%% %REQ(X-A?:PATH):10%\n");
  REQUIRE(made);
  const auto& line = made->line();
  REQUIRE(line.size() == 4);
  CHECK(line[0].literal == "[");
  CHECK(line[1].what == AccessOperator::protocol);
  CHECK(line[2].literal == "] 100% ");
  CHECK(line[3].what == AccessOperator::request_field);
  CHECK(line[3].field == "x-a");
  CHECK(line[3].other_field == ":path");
  CHECK(line[3].bytes_max == 10);
  CHECK_FALSE(made->is_json());
}

TEST_CASE("The format of a time may hold percent signs, and parentheses before others") {
  const auto made = AccessFormat::text("%START_TIME(%Y(%m) %d)% %DURATION%");
  REQUIRE(made);
  CHECK(made->line().size() == 3);
}

TEST_CASE("An operator that there is not is refused at its place") {
  CHECK(wrong("ab %DURATIN%") == "3: %DURATIN% cannot be used: did you mean %DURATION%?");
  CHECK(
      wrong("%NO_SUCH_THING%").starts_with("0: %NO_SUCH_THING% cannot be used: there is no such"));
  CHECK(wrong("%DYNAMIC_METADATA(a:b)%").find("no metadata") != std::string::npos);
  CHECK(wrong("%FILTER_STATE(a)%").find("no filter state") != std::string::npos);
  CHECK(wrong("%ROUTE_NAME%").find("%ONCEPROXY_POLICY%") != std::string::npos);
  CHECK(wrong("%ENVIRONMENT(HOME)%").find("${NAME}") != std::string::npos);
  CHECK(wrong("%TRAILER(grpc-status)%").find("trailers") != std::string::npos);
  CHECK(wrong("%DOWNSTREAM_TLS_VERSION%").find("not recorded") != std::string::npos);
  CHECK(wrong("%RESPONSE_TX_DURATION%").find("%DURATION%") != std::string::npos);
}

TEST_CASE("What cannot be an operator, or not with these arguments, is refused") {
  for (const char* format : {"%", "100%", "%duration%", "%DURATION", "%REQ(X-A)", "%REQ(X-A):%",
                             "%DURATION% %", "%(X)%"}) {
    CAPTURE(format);
    CHECK(wrong(format).find("begins no operator") != std::string::npos);
  }
  CHECK(wrong("%REQ%") == "0: REQ needs the name of a header: %REQ(X-NAME)%");
  CHECK(wrong("%REQ()%") == "0: \"\" is not a valid header name");
  CHECK(wrong("%REQ(a b)%") == "0: \"a b\" is not a valid header name");
  CHECK(wrong("%REQ(:STATUS)%").find("there is no :status") != std::string::npos);
  CHECK(wrong("%RESP(:PATH)%").find("there is no :path") != std::string::npos);
  CHECK(wrong("%PROTOCOL(X)%") == "0: PROTOCOL takes nothing in parentheses");
  CHECK(wrong("%PATH(XX)%") == "0: PATH takes WQ (with the query) or NQ (without)");
  CHECK(wrong("%START_TIME(%Q)%").find("unknown conversion %Q") != std::string::npos);
  CHECK(wrong("%REQ(A):0%").find("1 to 65536 bytes, not 0") != std::string::npos);
  CHECK(wrong("%REQ(A):65537%").find("not 65537") != std::string::npos);
  CHECK(wrong("%REQ(A):99999999999999999999999%").find("bytes, not 9999") != std::string::npos);
}

TEST_CASE("A format is bounded, and is one line") {
  CHECK(wrong("") == "0: the format is empty");
  CHECK(wrong("\n") == "0: the format is empty");
  CHECK(wrong("a\nb") == "1: a line cannot hold a control character");
  CHECK(wrong(std::string(AccessFormat::bytes_max + 1, 'a')) == "8192: longer than 8192 bytes");
  std::string many;
  for (std::size_t i = 0; i < AccessFormat::operators_max; ++i) many += "%DURATION%";
  CHECK(wrong(many).empty());
  CHECK(wrong(many + "%DURATION%") == "640: more than 64 operators");
}

TEST_CASE("Only a format that needs the answer's head asks for it") {
  CHECK_FALSE(AccessFormat::text("%REQ(A)% %RESPONSE_CODE%")->wants_answer_head());
  CHECK(AccessFormat::text("%RESP(A)%")->wants_answer_head());
  CHECK(AccessFormat::text("%BYTES_SENT%")->wants_answer_head());
}

TEST_CASE("The bounds of a JSON format hold for all its members together") {
  AccessFormat::Json json;
  for (std::size_t i = 0; i < AccessFormat::operators_max; ++i) {
    REQUIRE_FALSE(json.member(std::to_string(i), "%DURATION%"));
  }
  CHECK(json.member("x", "%DURATION%")->message == "more than 64 operators");
  AccessFormat::Json large;
  CHECK(large.member("x", std::string(AccessFormat::bytes_max, 'a'))->message ==
        "the format is longer than 8192 bytes");
}

TEST_CASE("Any bytes are taken or refused") {
  std::mt19937 random(1);
  constexpr std::string_view letters = "%%%()::?AREQRSPTI_0 9\n\\\"\x80";
  for (int round = 0; round < 20'000; ++round) {
    std::string format;
    const auto size = random() % 24;
    for (std::size_t i = 0; i < size; ++i) format += letters[random() % letters.size()];
    const auto made = AccessFormat::text(format);
    if (!made) {
      CAPTURE(format);
      CHECK(made.error().offset <= format.size());
    }
  }
}

}  // namespace
}  // namespace onceproxy::telemetry
