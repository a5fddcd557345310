#include "policies/sequence.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace onceproxy::policies;
using onceproxy::store::Sequence;

namespace {

std::optional<Sequence> text_as(Sequence::Kind kind, std::string_view text) {
  return parse_sequence(kind, ValueType::text, text);
}

}  // namespace

TEST_CASE("times are ordered by the moment, whatever their offset and fraction") {
  const auto time = [](std::string_view text) { return text_as(Sequence::Kind::time, text); };
  CHECK(time("2026-01-02T03:04:05Z") == time("2026-01-02T04:04:05.000+01:00"));
  CHECK(time("2026-01-02T03:04:05.100Z") < time("2026-01-02T04:04:05.200+01:00"));
  CHECK(time("2026-01-02T03:04:04Z") < time("2026-01-02T03:04:05.1Z"));
  CHECK_FALSE(time("2026-01-02T03:04:05"));
  CHECK_FALSE(time("1767323045"));
  CHECK_FALSE(parse_sequence(Sequence::Kind::time, ValueType::json, "1767323045"));
}

TEST_CASE("hexadecimal digits are ordered as S3 orders its sequencers") {
  const auto hex = [](std::string_view text) { return text_as(Sequence::Kind::hex, text); };
  CHECK(hex("0055AED6DCD90281E5") < hex("0055AED6DCD90281E6"));
  CHECK(hex("0055AED6DCD902") < hex("0055AED6DCD90281E5"));
  CHECK(hex("0055AED6DCD90281E5") < hex("0055AED6DD"));
  CHECK(hex("0055aed6dd") == hex("0055AED6DD00"));
  CHECK(hex(std::string(32, 'f')) > hex("ffffffffffffffff"));
  for (const std::string& text : {std::string(), std::string(33, '0'), std::string("0x1"),
                                  std::string("5g"), std::string("-1"), std::string("12 ")}) {
    INFO(text);
    CHECK_FALSE(hex(text));
  }
  CHECK_FALSE(parse_sequence(Sequence::Kind::hex, ValueType::json, "55"));
}

TEST_CASE("an integer is one by value or in digits") {
  CHECK(parse_sequence(Sequence::Kind::integer, ValueType::json, "1e2") == Sequence(100));
  CHECK(text_as(Sequence::Kind::integer, "-7") == Sequence(-7));
  CHECK_FALSE(text_as(Sequence::Kind::integer, "1e2"));
  CHECK_FALSE(text_as(Sequence::Kind::integer, "2026-01-02T03:04:05Z"));
}
