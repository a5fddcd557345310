// What operators change: records that they release, resolve or forget.
#include <catch2/catch.hpp>
#include <thread>

#include "faulty_file_system.hpp"
#include "inspection_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE_METHOD(InspectionFixture,
                 "a record of a dead process holds no turn after it was resolved") {
  ReserveRequest lost = on_entity(1);
  permit(lost).use();
  open();
  CHECK(is<NoTurn>(reserve(on_entity(2))));
  clock.advance(lost.terms.lease);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::done);
  CHECK(is<Reserved>(reserve(on_entity(2))));
}

TEST_CASE_METHOD(InspectionFixture, "a released operation can be reserved again at once") {
  leave_reserved(1);
  leave_unknown(2);
  for (const std::uint64_t number : {1, 2}) {
    CHECK(is<Held>(reserve(request(number))));
    CHECK(inspection().release(fingerprint(number)) == Changed::done);
    CHECK_FALSE(record(number));
    const ReserveResult again = reserve(request(number));
    REQUIRE(is<Reserved>(again));
    CHECK(std::get<Reserved>(again).attempt == 1);
  }
  leave_completed(3);
  CHECK(inspection().release(fingerprint(3)) == Changed::conflict);
  CHECK(is<Completed>(reserve(request(3))));
  CHECK(inspection().release(fingerprint(4)) == Changed::absent);
}

TEST_CASE_METHOD(InspectionFixture, "a release takes the reservation from whoever holds it") {
  Permit first = permit(request(1));
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  Permit second = permit(request(1));
  CHECK(complete(std::move(first), answer(200, "late")) == Settled::refused);
  CHECK(complete(std::move(second), answer(200, "right")) == Settled::done);
  const ReserveResult replay = reserve(request(1));
  CHECK(std::get<Completed>(replay).answer.body == "right");
}

TEST_CASE_METHOD(InspectionFixture,
                 "a release gives the token of a rate limit back, and the turn") {
  ReserveRequest limited = on_entity(1);
  limited.rate.emplace();
  limited.rate->key = rate_key(1);
  limited.rate->limit = 1;
  limited.rate->per = 1h;
  const Permit held = permit(limited);
  ReserveRequest next = limited;
  next.fingerprint = fingerprint(2);
  CHECK(is<NoTurn>(reserve(next)));
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  CHECK(is<Reserved>(reserve(next)));
}

TEST_CASE_METHOD(InspectionFixture, "the turn of a process that died goes with its reservation") {
  { const Permit dropped = permit(on_entity(1)); }
  CHECK(is<NoTurn>(reserve(on_entity(2))));
  CHECK(entity()->holder == fingerprint(1));
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  CHECK(is<Reserved>(reserve(on_entity(2))));
}

TEST_CASE_METHOD(InspectionFixture,
                 "a resolved operation is completed without an answer to replay") {
  leave_unknown(1);
  clock.advance(1h);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::done);
  const ReserveResult again = reserve(request(1));
  REQUIRE(is<Completed>(again));
  CHECK_FALSE(std::get<Completed>(again).answer.replayable);
  CHECK(std::get<Completed>(again).answer.not_kept == NotKept::resolved);
  CHECK(record(1)->not_kept == NotKept::resolved);
  CHECK(record(1)->state == RecordView::State::completed);
  CHECK_FALSE(record(1)->status);
  CHECK(record(1)->error.empty());
  // For a window from now.
  CHECK(record(1)->expires == clock.now() + 24h);

  leave_reserved(2);
  leave_completed(3);
  CHECK(inspection().resolve(fingerprint(2), {}) == Changed::conflict);
  CHECK(inspection().resolve(fingerprint(3), {}) == Changed::conflict);
  CHECK(inspection().resolve(fingerprint(4), {}) == Changed::absent);
  CHECK(is<Held>(reserve(request(2))));
}

TEST_CASE_METHOD(InspectionFixture,
                 "duplicates of an operation that was resolved with an answer get that answer") {
  // Within the record, and apart from it.
  const std::string body(GENERATE(std::size_t{10}, std::size_t{100'000}), 'x');
  leave_unknown(1);
  CHECK(inspection().resolve(fingerprint(1), StoredAnswer{201, "A: b\r\n", body}) == Changed::done);
  for (int opened = 0; opened < 2; ++opened) {
    const ReserveResult again = reserve(request(1));
    REQUIRE(is<Completed>(again));
    const StoredAnswer& given = std::get<Completed>(again).answer;
    CHECK(given.replayable);
    CHECK(given.status == 201);
    CHECK(given.head == "A: b\r\n");
    CHECK(given.body == body);
    CHECK(record(1)->status == 201);
    CHECK_FALSE(record(1)->not_kept);
    open();
  }
}

TEST_CASE(
    "while an operator decides, a request is told to come back and not that it is in flight") {
  FaultyEnvironment environment;
  Fixture fixture;
  fixture.tuning.over = environment.over;
  fixture.open();
  fixture.mark_unknown(fixture.permit(request(1)));
  fixture.clock.advance(31s);
  FaultyFileSystem& files = *environment.files;
  const int syncs = files.log_syncs;
  files.log_sync_waits = true;
  Changed resolved = Changed::failed;
  std::thread resolving(
      [&] { resolved = fixture.store->inspection().resolve(fingerprint(1), {}); });
  CHECK(files.log_synced.wait([&] { return files.log_syncs > syncs; }));
  const ReserveResult meanwhile = fixture.reserve(request(1));
  CHECK(is<Held>(meanwhile));
  if (const auto* const held = std::get_if<Held>(&meanwhile)) CHECK(held->lease_left);
  files.log_sync_waits = false;
  files.log_sync_waits.notify_all();
  resolving.join();
  CHECK(resolved == Changed::done);
  CHECK(is<Completed>(fixture.reserve(request(1))));
}

TEST_CASE_METHOD(InspectionFixture, "a forgotten operation is new again, unless it is under way") {
  leave_completed(1);
  complete(permit(request(2)), answer(200, std::string(100'000, 'x')));
  leave_unknown(3);
  leave_reserved(4);
  for (const std::uint64_t number : {1, 2, 3, 4}) {
    CHECK(inspection().forget(fingerprint(number)) == Changed::done);
    CHECK_FALSE(record(number));
    CHECK(is<Reserved>(reserve(request(number))));
  }
  const Permit held = permit(request(5));
  CHECK(inspection().forget(fingerprint(5)) == Changed::conflict);
  CHECK(record(5)->held);
  CHECK(inspection().forget(fingerprint(6)) == Changed::absent);
}

TEST_CASE_METHOD(InspectionFixture, "changes are on disk") {
  leave_unknown(1);
  leave_unknown(2);
  leave_completed(3);
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  CHECK(inspection().resolve(fingerprint(2), {}) == Changed::done);
  CHECK(inspection().forget(fingerprint(3)) == Changed::done);
  open();
  CHECK_FALSE(record(1));
  CHECK(record(2)->state == RecordView::State::completed);
  CHECK_FALSE(record(3));
}

TEST_CASE_METHOD(InspectionFixture, "a store that is closed changes nothing and says so") {
  leave_unknown(1);
  store->close();
  CHECK(inspection().release(fingerprint(1)) == Changed::failed);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::failed);
  CHECK(inspection().forget(fingerprint(1)) == Changed::failed);
  CHECK(inspection().open(entity_key(1)) == Changed::failed);
  CHECK(std::holds_alternative<Unreadable>(inspection().record(fingerprint(1))));
  CHECK(std::holds_alternative<Unreadable>(inspection().records({}, std::nullopt, 10)));
}
