// The ledger where the database fails: what was promised is kept, and nothing else is.
#include <algorithm>
#include <catch2/catch.hpp>

#include "faulty_file_system.hpp"
#include "ledger_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using Fault = FaultyFileSystem::Fault;
using State = DeliveryState;

namespace {

struct FailingFixture : LedgerFixture {
  FaultyEnvironment environment;
  FailingFixture() { tuning.over = environment.over; }

  void heal() {
    const auto reopenings = [&] {
      return std::count_if(seen.events.begin(), seen.events.end(),
                           [](const std::string& text) { return text.starts_with("reopened"); });
    };
    const auto before = seen.signal.read(reopenings);
    environment.files->fault = Fault::none;
    REQUIRE(seen.signal.wait([&] { return reopenings() > before; }));
  }
};

}  // namespace

TEST_CASE("an event whose write failed is not there, whatever reached the disk") {
  const Fault fault = GENERATE(Fault::log_append, Fault::log_append_half, Fault::log_sync);
  FailingFixture fixture;
  fixture.open();
  fixture.accept(EventRequest(1));
  EventRequest request(2);
  request.on_entity(5, true);
  request.request.entity->closes = 1h;
  fixture.environment.files->fault = fault;
  CHECK(is_unavailable(fixture.reserve(request.request), Unavailable::Reason::failed));
  fixture.environment.files->fault = Fault::create;
  fixture.heal();
  CHECK(fixture.pending("a").size() == 1);
  CHECK(fixture.figures("a").pending == 1);
  CHECK(fixture.ledger().figures().events_open == 1);
  const EventNumber event = fixture.accept(request);  // its entity is not closed
  CHECK(fixture.pending("a").back() == event);
  CHECK(fixture.figures("a").pending == 2);
  fixture.open();
  CHECK(fixture.figures("a").pending == 2);
  CHECK(fixture.pending("a").size() == 2);
}

TEST_CASE("what is redriven is found although a reader came between the decision and the write") {
  FailingFixture fixture;
  fixture.tuning.tick = 1h;
  fixture.open();
  const EventNumber first = fixture.accept(EventRequest(1, {"a"}));
  fixture.deliver(first, "a", State::dead, 503);
  const EventNumber second = fixture.accept(EventRequest(2, {"a"}));
  FaultyFileSystem& files = *fixture.environment.files;
  const int syncs = files.log_syncs;
  files.log_sync_waits = true;
  Waiting<Redriven> redriven(fixture.loop);
  REQUIRE_FALSE(fixture.ledger().redrive({first, "a"}, redriven));
  REQUIRE(files.log_synced.wait([&] { return files.log_syncs > syncs; }));
  // As each scrape of the metrics does.
  CHECK(fixture.pending("a") == Numbers{second});
  files.log_sync_waits = false;
  files.log_sync_waits.notify_all();
  REQUIRE(redriven.wait() == Redriven::done);
  CHECK(fixture.pending("a") == Numbers{first, second});
}

TEST_CASE("what an operator may have changed is told of, although the write failed") {
  FailingFixture fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a", "b"}));
  fixture.deliver(event, "a", State::dead, 503);
  Told told;
  fixture.ledger().watch(&told);
  fixture.environment.files->fault = Fault::log_sync;
  std::string listener;
  SECTION("a redrive") {
    listener = "a";
    CHECK(fixture.redrive(event, listener) == Redriven::failed);
  }
  SECTION("a drop") {
    listener = "b";
    CHECK(fixture.drop(event, listener) == Changed::failed);
  }
  fixture.environment.files->fault = Fault::none;
  REQUIRE(fixture.seen.wait_for_event("reopened"));
  fixture.ledger().watch(nullptr);
  REQUIRE(told.again.size() == 1);
  CHECK(told.again[0] == DeliveryKey{event, listener});
}

TEST_CASE("what is to wait for an operator waits, although the database failed meanwhile") {
  FailingFixture fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a"}));
  Attempt attempt = fixture.attempt(event, "a");
  fixture.environment.files->fault = Fault::log_append;
  AttemptEnd unknown;
  unknown.state = State::failed;
  unknown.held = true;
  CHECK(fixture.end(std::move(attempt), unknown) == Settled::failed);
  fixture.environment.files->fault = Fault::none;
  REQUIRE(fixture.seen.wait_for_event("reopened"));
  const BeginResult begun = fixture.begin_due(event, "a");
  REQUIRE(std::holds_alternative<Later>(begun));
  CHECK(std::get<Later>(begun).held);
}

TEST_CASE("how an attempt ended is kept until the database is back") {
  const Fault fault = GENERATE(Fault::log_append, Fault::log_append_half, Fault::log_sync);
  FailingFixture fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1));
  Attempt notified = fixture.attempt(event, "a");
  Attempt retried = fixture.attempt(event, "b");
  fixture.environment.files->fault = fault;
  CHECK(fixture.end(std::move(notified), {}) == Settled::failed);
  fixture.environment.files->fault = Fault::create;
  AttemptEnd retry;
  retry.state = State::failed;
  retry.due = fixture.clock.now() + 5s;
  CHECK(fixture.end(std::move(retried), retry) == Settled::failed);
  CHECK(std::holds_alternative<Unavailable>(fixture.begin(event, "c")));
  CHECK(std::holds_alternative<Taken>(fixture.begin(event, "a")));
  fixture.heal();
  CHECK(fixture.pending("a").empty());
  CHECK(fixture.figures("a").pending == 0);
  CHECK(fixture.figures("a").notified_total == 1);
  CHECK(fixture.figures("b").failed_total == 1);
  CHECK(std::get<Attempt>(fixture.begin(event, "b")).number() == 2);
  fixture.deliver(event, "b");
  fixture.deliver(event, "c");
  CHECK(fixture.ledger().figures().events_open == 0);
  REQUIRE(eventually([&] { return fixture.view(1).ended.has_value(); }));
}
