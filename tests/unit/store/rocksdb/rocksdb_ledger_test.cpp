// What is the embedded ledger's own: its restarts, crashes and waits. The rest is in
// store/ledger.
#include <sys/wait.h>
#include <unistd.h>

#include <rocksdb/db.h>
#include <catch2/catch.hpp>

#include "ledger_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

TEST_CASE("an attempt that waits when the store closes is answered") {
  LedgerFixture fixture;
  fixture.open();
  HandLoop hands;
  EventRequest dispatch(1, {"a"});
  dispatch.on_entity(5, true);
  const EventNumber event = fixture.accept(dispatch);
  const Permit decline = fixture.permit(closing(2, 5));
  Waiting<BeginResult> waiting(hands);
  REQUIRE_FALSE(fixture.ledger().begin({event, "a"}, waiting));
  fixture.store->close();
  REQUIRE(hands.run_until([&] { return waiting.answered(); }));
  CHECK(std::holds_alternative<Unavailable>(*waiting.result));
}

TEST_CASE("what is pending outlives a process that is killed, and nothing is accepted twice") {
  LedgerFixture fixture;
  const pid_t child = ::fork();
  if (child == 0) {
    fixture.open();
    for (std::uint64_t i = 1; i <= 20; ++i) {
      EventRequest request(i);
      request.on_entity(i % 3);
      const EventNumber event = fixture.accept(request);
      if (i % 2 == 0) fixture.deliver(event, "a");
      if (i % 5 == 0) fixture.deliver(event, "b", State::dead);
      if (i % 4 == 0) new Attempt(fixture.attempt(event, "c"));  // under way, for ever
    }
    ::_exit(0);  // as kill -9 does: nothing is closed
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(status == 0);
  fixture.open();
  CHECK(fixture.pending("a").size() == 10);
  CHECK(fixture.pending("b").size() == 16);
  CHECK(fixture.pending("c").size() == 20);
  CHECK(fixture.figures("a").pending == 10);
  CHECK(fixture.figures("b").dead == 4);
  CHECK(fixture.ledger().figures().events_open == 20);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    EventRequest request(i);
    request.on_entity(i % 3);
    CHECK(is<Completed>(fixture.reserve(request.request)));
  }
  for (const EventNumber event : fixture.pending("c")) fixture.deliver(event, "c");
  CHECK(fixture.pending("c").empty());
}

TEST_CASE("an event that is redriven as its end is noticed ends once more") {
  LedgerFixture fixture;
  // So the end is noticed by the group that has the redrive.
  fixture.tuning.looks_wait = 1h;
  fixture.open();
  const EventRequest request(1, {"a"});
  const EventNumber event = fixture.accept(request);
  fixture.deliver(event, "a", State::dead, 503);
  REQUIRE(fixture.redrive(event, "a") == Redriven::done);
  fixture.clock.advance(50s);
  fixture.deliver(event, "a");
  fixture.tuning.looks_wait = 1ms;
  fixture.open();
  REQUIRE(eventually([&] { return fixture.view(1).ended.has_value(); }));
  fixture.clock.advance(50s);
  CHECK(is<Completed>(fixture.reserve(request.request)));
  fixture.clock.advance(11s);
  CHECK(is<Accepted>(fixture.reserve(request.request)));
}

TEST_CASE("a store of an earlier version gets a ledger") {
  LedgerFixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "kept")) == Settled::done);
  fixture.store.reset();
  {
    rocksdb::DB* database = nullptr;
    std::vector<std::string> names;
    rocksdb::DBOptions options;
    const std::string path = fixture.options.path.string();
    REQUIRE(rocksdb::DB::ListColumnFamilies(options, path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names)
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    REQUIRE(rocksdb::DB::Open(options, path, families, &handles, &database).ok());
    for (rocksdb::ColumnFamilyHandle* const handle : handles) {
      if (handle->GetName() == "events" || handle->GetName() == "deliveries") {
        REQUIRE(database->DropColumnFamily(handle).ok());
      }
      database->DestroyColumnFamilyHandle(handle);
    }
    delete database;
  }
  fixture.open();
  CHECK(is<Completed>(fixture.reserve(request(1))));
  fixture.accept(EventRequest(2));
  CHECK(fixture.pending("a").size() == 1);
}

TEST_CASE("an attempt that waited goes on where the entity was not closed") {
  LedgerFixture fixture;
  fixture.open();
  HandLoop hands;
  EventRequest dispatch(1, {"a"});
  dispatch.on_entity(5, true);
  const EventNumber event = fixture.accept(dispatch);
  Permit decline = fixture.permit(closing(2, 5));
  Waiting<BeginResult> waiting(hands);
  REQUIRE_FALSE(fixture.ledger().begin({event, "a"}, waiting));
  CHECK(std::holds_alternative<Taken>(fixture.begin(event, "a")));
  REQUIRE(fixture.release(std::move(decline)) == Settled::done);
  REQUIRE(hands.run_until([&] { return waiting.answered(); }));
  REQUIRE(std::holds_alternative<Attempt>(*waiting.result));
  // It keeps the next one waiting, and lets it go when it is dropped.
  const ReserveRequest next = closing(3, 5);
  Waiting<ReserveResult> declined(hands);
  REQUIRE_FALSE(fixture.store->reserve(next, declined));
  waiting.result.reset();
  REQUIRE(hands.run_until([&] { return declined.answered(); }));
  CHECK(is<Reserved>(*declined.result));
}
