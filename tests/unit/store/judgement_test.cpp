#include "store/judgement.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

WallTime at(std::chrono::milliseconds time) {
  return WallTime(time);
}

Record of(Record::State state) {
  Record record;
  record.state = state;
  record.payload = payload(1);
  record.lease_ends = at(100s);
  record.expires = at(1000s);
  return record;
}

ReserveRequest asking(std::uint8_t byte, OnUnknown unknown = OnUnknown::retry) {
  ReserveRequest out = request(1);
  out.payload = payload(byte);
  out.terms.unknown = unknown;
  return out;
}

}  // namespace

TEST_CASE("no record and an expired one leave the fingerprint free") {
  CHECK(std::holds_alternative<Free>(judge(std::nullopt, asking(1), {}, at(0s))));
  const auto expired = judge(of(Record::State::completed), asking(2), {}, at(1000s));
  REQUIRE(std::holds_alternative<Free>(expired));
  CHECK_FALSE(std::get<Free>(expired).previous);
}

TEST_CASE("another payload comes before every other verdict") {
  for (const auto state :
       {Record::State::reserved, Record::State::completed, Record::State::unknown}) {
    CHECK(std::holds_alternative<Mismatch>(judge(of(state), asking(2), {}, at(50s))));
    CHECK(std::holds_alternative<Mismatch>(judge(of(state), asking(2), {}, at(500s))));
  }
}

TEST_CASE("a reservation that nobody holds is judged as an unknown outcome is") {
  for (const auto state : {Record::State::reserved, Record::State::unknown}) {
    const auto early = judge(of(state), asking(1), {}, at(99s));
    REQUIRE(std::holds_alternative<Held>(early));
    CHECK(std::get<Held>(early).lease_left == 1s);
    CHECK_FALSE(
        std::get<Held>(judge(of(state), asking(1, OnUnknown::hold), {}, at(99s))).lease_left);
    const auto retried = judge(of(state), asking(1), {}, at(100s));
    REQUIRE(std::holds_alternative<Free>(retried));
    CHECK(std::get<Free>(retried).previous.has_value());
    const auto held = judge(of(state), asking(1, OnUnknown::hold), {}, at(100s));
    REQUIRE(std::holds_alternative<Held>(held));
    CHECK_FALSE(std::get<Held>(held).lease_left);
  }
}
