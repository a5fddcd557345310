#include "store/rocksdb/entities.hpp"

#include <catch2/catch.hpp>

#include "faulty_file_system.hpp"
#include "store/lease.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using Fault = FaultyFileSystem::Fault;

namespace {

/// A request on one ride; what it asks for beside its turn is set by the test.
ReserveRequest on_ride(std::uint64_t number, std::optional<std::int64_t> sequence = std::nullopt) {
  ReserveRequest out = request(number);
  out.terms = {40s, 100s, OnUnknown::retry};
  out.entity.emplace();
  out.entity->key = entity_key(1);
  out.entity->type = "ride";
  out.entity->id = "r-1";
  out.entity->turn = 10s;
  out.entity->sequence = sequence;
  return out;
}

struct EntityFixture : Fixture {
  FaultyEnvironment environment;
  EntityFixture() { tuning.over = environment.over; }
  // Before the environment that its database writes to.
  ~EntityFixture() { store.reset(); }

  Settled complete_next(const ReserveRequest& request) {
    return complete(permit(request), answer(200, ""));
  }
  void fail(Fault fault) { environment.files->fault = fault; }
  void heal() {
    environment.files->fault = Fault::none;
    REQUIRE(seen.wait_for_event("reopened"));
  }
};

}  // namespace

TEST_CASE("the highest completed sequence is known over a restart, for a window") {
  EntityFixture fixture;
  fixture.open();
  REQUIRE(fixture.complete_next(on_ride(5, 5)) == Settled::done);
  REQUIRE(fixture.complete_next(on_ride(7, 7)) == Settled::done);
  fixture.clock.advance(99s);
  const bool restarted = GENERATE(false, true);
  if (restarted) fixture.open();
  CHECK(is<Stale>(fixture.reserve(on_ride(6, 6))));
  CHECK(is<Stale>(fixture.reserve(on_ride(70, 7))));
  CHECK(is<Completed>(fixture.reserve(on_ride(7, 7))));
  CHECK(fixture.release(fixture.permit(on_ride(8, 8))) == Settled::done);
  CHECK(fixture.release(fixture.permit(on_ride(1))) == Settled::done);
  fixture.clock.advance(1s);
  CHECK(is<Reserved>(fixture.reserve(on_ride(6, 6))));
}

TEST_CASE(
    "operations that failed, were released or are unknown raise no sequence and close nothing") {
  EntityFixture fixture;
  fixture.open();
  ReserveRequest high = on_ride(9, 9);
  high.entity->closes = 1h;
  Permit permit = fixture.permit(high);
  SECTION("released") {
    REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  }
  SECTION("unknown") {
    REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
  }
  SECTION("dropped") {
    { const Permit gone = std::move(permit); }
    fixture.clock.advance(40s + renewal_max(40s));
  }
  ReserveRequest low = on_ride(1, 1);
  low.entity->unless_closed = true;
  CHECK(is<Reserved>(fixture.reserve(low)));
}

TEST_CASE("an entity is closed by what completes, over a restart, until its time has passed") {
  EntityFixture fixture;
  fixture.open();
  ReserveRequest closing = on_ride(1);
  closing.entity->closes = 1h;
  ReserveRequest next = on_ride(2);
  next.entity->unless_closed = true;
  Permit permit = fixture.permit(closing);
  REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  fixture.clock.advance(20min);
  const bool restarted = GENERATE(false, true);
  if (restarted) fixture.open();
  const ReserveResult closed = fixture.reserve(next);
  REQUIRE(is<Closed>(closed));
  CHECK(std::get<Closed>(closed).left == 40min);
  CHECK(fixture.store->stats().reservations_active == 0);
  fixture.clock.advance(40min);
  CHECK(is<Reserved>(fixture.reserve(next)));
}

TEST_CASE("a dead process has its turn until its lease ends, then whoever waits longest") {
  EntityFixture fixture;
  HandLoop hands;
  fixture.open();
  fixture.permit(on_ride(1)).use();
  fixture.open();
  CHECK(is<NoTurn>(fixture.reserve(on_ride(2))));
  ReserveRequest shadow = on_ride(3);
  shadow.entity->turn.reset();
  CHECK(is<Reserved>(fixture.reserve(shadow)));
  const ReserveRequest waits = on_ride(4);
  Waiting<ReserveResult> call(hands);
  REQUIRE_FALSE(fixture.store->reserve(waits, call));
  fixture.clock.advance(39'999ms);
  CHECK(is<NoTurn>(fixture.reserve(on_ride(2))));
  CHECK(hands.delivered() == 0);
  fixture.clock.advance(1ms);
  REQUIRE(hands.run_until([&] { return call.answered(); }));
  CHECK(is<Reserved>(*call.result));
}

TEST_CASE("a dead turn that nobody waited for is free when its lease is over") {
  EntityFixture fixture;
  fixture.tuning.tick = 1h;
  fixture.open();
  fixture.permit(on_ride(1)).use();
  fixture.open();
  CHECK(is<NoTurn>(fixture.reserve(on_ride(2))));
  fixture.clock.advance(40s);
  CHECK(is<Reserved>(fixture.reserve(on_ride(2))));
}

TEST_CASE("a dropped permit leaves its turn to its lease, whether somebody waits or not") {
  EntityFixture fixture;
  HandLoop hands;
  fixture.open();
  Permit permit = fixture.permit(on_ride(1));
  const ReserveRequest waits = on_ride(2);
  Waiting<ReserveResult> call(hands);
  const bool somebody = GENERATE(false, true);
  if (somebody) REQUIRE_FALSE(fixture.store->reserve(waits, call));
  { const Permit gone = std::move(permit); }
  CHECK(hands.delivered() == 0);
  CHECK(is<NoTurn>(fixture.reserve(on_ride(3))));
  fixture.clock.advance(40s + renewal_max(40s));
  if (somebody) {
    REQUIRE(hands.run_until([&] { return call.answered(); }));
    CHECK(is<Reserved>(*call.result));
  } else {
    CHECK(is<Reserved>(fixture.reserve(on_ride(3))));
  }
}

TEST_CASE("after a restart nobody has the turn of what was settled") {
  EntityFixture fixture;
  fixture.open();
  Permit permit = fixture.permit(on_ride(1));
  SECTION("completed") {
    REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  }
  SECTION("released") {
    REQUIRE(fixture.release(std::move(permit)) == Settled::done);
  }
  SECTION("unknown") {
    REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
  }
  fixture.open();
  CHECK(is<Reserved>(fixture.reserve(on_ride(2))));
}

TEST_CASE("a lease that is extended extends the turn") {
  EntityFixture fixture;
  fixture.tuning.tick = 1ms;
  fixture.open();
  ReserveRequest slow = on_ride(1);
  slow.terms.window = 1s;
  Permit permit = fixture.permit(slow);
  for (int i = 0; i < 10; ++i) {
    const int syncs = fixture.environment.files->log_syncs;
    fixture.clock.advance(11s);
    REQUIRE(fixture.environment.files->log_synced.wait(
        [&] { return fixture.environment.files->log_syncs > syncs; }));
  }
  fixture.store->close();
  permit.use();
  fixture.open();
  fixture.clock.advance(39s);
  CHECK(is<NoTurn>(fixture.reserve(on_ride(2))));
  fixture.clock.advance(1s);
  CHECK(is<Reserved>(fixture.reserve(on_ride(2))));
}

TEST_CASE("a completion that failed is written with its entity once the database is back") {
  EntityFixture fixture;
  fixture.open();
  const Fault fault = GENERATE(Fault::log_append, Fault::log_append_half, Fault::log_sync);
  ReserveRequest fifth = on_ride(5, 5);
  Permit permit = fixture.permit(fifth);
  ReserveRequest shadow = on_ride(9, 9);
  shadow.entity->turn.reset();
  Permit beside = fixture.permit(shadow);
  fixture.fail(fault);
  CHECK(fixture.complete(std::move(beside), answer(200, "")) == Settled::failed);
  fixture.fail(Fault::create);
  CHECK(fixture.complete(std::move(permit), answer(200, "")) == Settled::failed);
  fixture.heal();
  fixture.open();
  CHECK(is<Completed>(fixture.reserve(fifth)));
  CHECK(is<Stale>(fixture.reserve(on_ride(90, 9))));
}

TEST_CASE("a reservation whose write failed leaves neither its turn taken nor its token") {
  EntityFixture fixture;
  fixture.open();
  const Fault fault = GENERATE(Fault::log_append, Fault::log_append_half, Fault::log_sync);
  ReserveRequest one = on_ride(1);
  one.rate = RateTerms{rate_key(1), 1, 1h};
  fixture.fail(fault);
  CHECK(is_unavailable(fixture.reserve(one), Unavailable::Reason::failed));
  fixture.heal();
  const bool restarted = GENERATE(false, true);
  if (restarted) fixture.open();
  ReserveRequest other = one;
  other.fingerprint = fingerprint(2);
  CHECK(is<Reserved>(fixture.reserve(other)));
}
