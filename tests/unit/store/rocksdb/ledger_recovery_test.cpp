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
