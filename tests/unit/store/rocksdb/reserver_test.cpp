// How a reserve waits for the outcome of the operation that it repeats.
#include "store/rocksdb/reserver.hpp"

#include <catch2/catch.hpp>

#include "waiting_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("requests that wait get the answer of the first one") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  Calls calls;
  for (int i = 0; i < 50; ++i) calls.push_back(fixture.start(again));
  CHECK(fixture.answered(calls) == 0);
  CHECK(is<InFlight>(fixture.reserve(again)));  // its loop has no timers
  CHECK(is<InFlight>(fixture.reserve(request(1))));
  REQUIRE(fixture.complete(std::move(permit), answer(201, "made")) == Settled::done);
  for (auto& call : calls) {
    const ReserveResult& result = fixture.answer_of(*call);
    REQUIRE(is<Completed>(result));
    CHECK(std::get<Completed>(result).answer.body == "made");
  }
  CHECK(fixture.hands.timers() == 0);
  CHECK(fixture.store->stats().reservations_active == 0);
  CHECK(fixture.store->stats().calls_waiting == 0);
}

TEST_CASE("if the first request is released, the oldest waiting one takes over") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  Calls calls;
  for (int i = 0; i < 5; ++i) calls.push_back(fixture.start(again));
  for (std::size_t turn = 0; turn < 5; ++turn) {
    REQUIRE(fixture.release(std::move(permit)) == Settled::done);
    permit = fixture.permit_of(*calls[turn]);
    CHECK(fixture.answered(calls) == turn + 1);
    CHECK(fixture.hands.delivered() == 0);
    CHECK(fixture.store->stats().reservations_active == 1);
  }
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  CHECK(is<Completed>(fixture.reserve(request(1))));
}

TEST_CASE("while another request reads the record, a request that can wait waits for the result") {
  WaitingFixture fixture;
  fixture.open();
  const ReserveRequest patient = waiting(1);
  const ReserveRequest impatient = request(1);
  std::optional<Permit> permit(fixture.permit(patient));
  const auto heir = fixture.start(patient);
  // Its record stays; the heir has the claim, and has not looked yet.
  permit.reset();
  const auto waits = fixture.start(patient);
  const auto does_not = fixture.start(impatient);
  CHECK_FALSE(waits->answered());
  REQUIRE(does_not->answered());
  CHECK(is<Held>(*does_not->result));
  CHECK(is<Held>(fixture.answer_of(*heir)));
  CHECK(is<Held>(fixture.answer_of(*waits)));
}

TEST_CASE("after an unknown outcome or a dropped permit all that wait are told that it is held") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  Calls calls;
  for (int i = 0; i < 5; ++i) calls.push_back(fixture.start(again));
  SECTION("unknown") {
    REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
  }
  SECTION("dropped") {
    const Permit gone = std::move(permit);
  }
  for (auto& call : calls) CHECK(is<Held>(fixture.answer_of(*call)));
  CHECK(fixture.hands.timers() == 0);
  CHECK(fixture.store->stats().reservations_active == 0);
  CHECK(fixture.store->stats().calls_waiting == 0);
}

TEST_CASE("a request that waits too long gets in-flight, and the others go on waiting") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest brief = waiting(1, 2s);
  const ReserveRequest patient = waiting(1, 5s);
  const auto one = fixture.start(brief);
  const auto other = fixture.start(patient);
  fixture.hands.advance(1999ms);
  CHECK_FALSE(one->answered());
  fixture.hands.advance(1ms);
  REQUIRE(one->answered());
  CHECK(is<InFlight>(*one->result));
  CHECK_FALSE(other->answered());
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  CHECK(is<Completed>(fixture.answer_of(*other)));
}

TEST_CASE("a time that is over while the claim is on its way takes nothing from the claim") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  const ReserveRequest again = waiting(1);
  const auto first = fixture.start(again);
  const auto second = fixture.start(again);
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  REQUIRE(fixture.hands.delivered() == 1);
  fixture.hands.advance(10s);  // the first is delivered already, the second is not
  REQUIRE(second->answered());
  CHECK(is<InFlight>(*second->result));
  CHECK_FALSE(first->answered());
  CHECK(is<Reserved>(fixture.answer_of(*first)));
}

TEST_CASE("a request with another payload does not wait but is refused at once") {
  WaitingFixture fixture;
  fixture.open();
  ReserveRequest one = waiting(1);
  one.payload = payload(1);
  ReserveRequest other = waiting(1);
  other.payload = payload(2);
  Permit permit = fixture.permit(one);
  const auto call = fixture.start(other);
  REQUIRE(call->answered());
  CHECK(is<Mismatch>(*call->result));
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
}

TEST_CASE("how many wait, and what they keep, is bounded") {
  WaitingFixture fixture;
  fixture.tuning.waiting_max = 3;
  fixture.tuning.waiting_bytes_max = 1'000;
  fixture.open();
  Permit permit = fixture.permit(waiting(1));
  ReserveRequest small = waiting(1);
  small.bytes_kept = 100;
  ReserveRequest large = waiting(1);
  large.bytes_kept = 901;
  Calls calls;
  calls.push_back(fixture.start(small));
  const auto too_large = fixture.start(large);
  REQUIRE(too_large->answered());
  CHECK(is<InFlight>(*too_large->result));
  for (int i = 0; i < 2; ++i) calls.push_back(fixture.start(small));
  CHECK(fixture.answered(calls) == 0);
  CHECK(fixture.store->stats().calls_waiting == 3);
  const auto too_many = fixture.start(small);
  REQUIRE(too_many->answered());
  CHECK(is<InFlight>(*too_many->result));
  fixture.hands.advance(10s);
  CHECK(fixture.answered(calls) == 3);
  const auto room_again = fixture.start(large);
  CHECK_FALSE(room_again->answered());
  fixture.hands.advance(10s);
  CHECK(room_again->answered());
}
