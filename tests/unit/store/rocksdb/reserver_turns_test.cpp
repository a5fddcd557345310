// How a reserve waits for the turn of its entity.
#include <catch2/catch.hpp>

#include "store/rocksdb/reserver.hpp"
#include "waiting_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("requests on one entity take turns in order of arrival, across loops") {
  WaitingFixture fixture;
  HandLoop other;
  fixture.open();
  Waiting<ReserveResult> first(fixture.hands);
  const ReserveRequest opening = in_turn(1);
  REQUIRE_FALSE(fixture.store->reserve(opening, first));
  Permit permit = fixture.permit_of(first);
  CHECK(first.turn_wait == 0ns);
  std::vector<ReserveRequest> requests;
  for (std::uint64_t i = 2; i <= 9; ++i) requests.push_back(in_turn(i));
  Calls calls;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    HandLoop& loop = i % 2 == 0 ? fixture.hands : other;
    calls.push_back(std::make_unique<Waiting<ReserveResult>>(loop));
    REQUIRE_FALSE(fixture.store->reserve(requests[i], *calls.back()));
  }
  CHECK(is<Reserved>(fixture.reserve(in_turn(100, 2))));  // another entity
  for (std::size_t i = 0; i < calls.size(); ++i) {
    switch (i % 3) {
      case 0:
        REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
        break;
      case 1:
        REQUIRE(fixture.release(std::move(permit)) == Settled::done);
        break;
      default:
        REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
    }
    CHECK(fixture.answered(calls) == i);
    HandLoop& loop = i % 2 == 0 ? fixture.hands : other;
    REQUIRE(loop.run_until([&] { return calls[i]->answered(); }));
    REQUIRE(is<Reserved>(*calls[i]->result));
    permit = std::move(std::get<Reserved>(*calls[i]->result).permit);
    CHECK(calls[i]->turn_wait > 0ns);
  }
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  CHECK(is<Reserved>(fixture.reserve(in_turn(200))));
}

TEST_CASE("a turn that does not come in time is refused, and leaves nothing behind") {
  WaitingFixture fixture;
  fixture.tuning.entity_queue_max = 2;
  fixture.open();
  Permit permit = fixture.permit(in_turn(1));
  CHECK(is<NoTurn>(fixture.reserve(in_turn(2))));  // its loop has no timers
  const ReserveRequest second = in_turn(2, 1, 2s);
  const ReserveRequest third = in_turn(3, 1, 3s);
  const ReserveRequest fourth = in_turn(4);
  const auto one = fixture.start(second);
  const auto two = fixture.start(third);
  const auto full = fixture.start(fourth);
  REQUIRE(full->answered());
  CHECK(is<NoTurn>(*full->result));
  CHECK(is<InFlight>(fixture.reserve(request(2))));  // it holds its fingerprint while it queues
  fixture.hands.advance(2s);
  REQUIRE(one->answered());
  CHECK(is<NoTurn>(*one->result));
  CHECK(one->turn_wait >= 0ns);
  CHECK_FALSE(two->answered());
  CHECK(fixture.store->stats().reservations_active == 2);
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  CHECK(is<Reserved>(fixture.answer_of(*two)));
}

TEST_CASE("a duplicate of a queued request waits behind it, and takes over if it gets no turn") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(in_turn(1));
  const ReserveRequest queued = in_turn(2, 1, 2s);
  ReserveRequest duplicate = in_turn(2, 1, 20s);
  duplicate.wait = 60s;
  const auto one = fixture.start(queued);
  const auto two = fixture.start(duplicate);
  fixture.hands.advance(2s);
  REQUIRE(one->answered());
  CHECK(is<NoTurn>(*one->result));
  REQUIRE(fixture.hands.run_until([&] { return fixture.hands.delivered() == 0; }));
  CHECK_FALSE(two->answered());
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  CHECK(is<Reserved>(fixture.answer_of(*two)));
}

TEST_CASE("a duplicate of a completed operation is answered without a turn") {
  WaitingFixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(in_turn(1)), answer(200, "one")) == Settled::done);
  Permit busy = fixture.permit(in_turn(2));
  const ReserveRequest again = in_turn(1);
  const auto call = fixture.start(again);
  REQUIRE(call->answered());
  CHECK(is<Completed>(*call->result));
  CHECK(call->turn_wait < 0ns);
  REQUIRE(fixture.release(std::move(busy)) == Settled::done);
}

TEST_CASE("a queued request that became stale or closed is refused, and passes the turn on") {
  WaitingFixture fixture;
  fixture.open();
  ReserveRequest fifth = in_turn(5);
  fifth.entity->sequence = 5;
  fifth.entity->closes = 60s;
  Permit permit = fixture.permit(fifth);
  ReserveRequest fourth = in_turn(4);
  fourth.entity->sequence = 4;
  ReserveRequest shut = in_turn(6);
  shut.entity->sequence = 6;
  shut.entity->unless_closed = true;
  ReserveRequest seventh = in_turn(7);
  seventh.entity->sequence = 7;
  const auto stale = fixture.start(fourth);
  const auto closed = fixture.start(shut);
  const auto next = fixture.start(seventh);
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  CHECK(is<Stale>(fixture.answer_of(*stale)));
  const ReserveResult& left = fixture.answer_of(*closed);
  REQUIRE(is<Closed>(left));
  CHECK(std::get<Closed>(left).left == 60s);
  CHECK(is<Reserved>(fixture.answer_of(*next)));
}

TEST_CASE("a request that takes no turn does not wait, but the rules of the entity apply to it") {
  WaitingFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(in_turn(1));
  ReserveRequest shadow = in_turn(2);
  shadow.entity->turn.reset();
  shadow.entity->sequence = 9;
  Permit beside = fixture.permit(shadow);
  REQUIRE(fixture.complete(std::move(beside), answer(200, "")) == Settled::done);
  shadow.fingerprint = fingerprint(3);
  CHECK(is<Stale>(fixture.reserve(shadow)));
  CHECK(is<NoTurn>(fixture.reserve(in_turn(4))));
  REQUIRE(fixture.release(std::move(permit)) == Settled::done);
}
