// The order of an entity's events where several instances deliver them, and what an instance reads.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "shared_ledger.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

TEST_CASE("shared ledger: an entity's events go in order over the instances") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  EventRequest first(1, {"a", "b"});
  EventRequest second(2, {"a", "b"});
  EventRequest elsewhere(3, {"a"});
  const EventNumber one = ledger.one.accept(first.on_entity(7));
  const EventNumber two = ledger.other.accept(second.on_entity(7));
  const EventNumber three = ledger.other.accept(elsewhere.on_entity(8));
  CHECK(two > one);
  CHECK(std::holds_alternative<Taken>(ledger.other.begin(two, "a")));
  CHECK(std::holds_alternative<Taken>(ledger.other.begin_due(two, "a")));
  ledger.other.deliver(three, "a");
  Attempt attempt = ledger.one.attempt(one, "a");
  CHECK(std::holds_alternative<Taken>(ledger.other.begin_due(two, "a")));
  AttemptEnd failed;
  failed.state = State::failed;
  REQUIRE(ledger.one.end(std::move(attempt), failed) == Settled::done);
  CHECK(std::holds_alternative<Taken>(ledger.other.begin_due(two, "a")));
  ledger.one.deliver(one, "a");
  ledger.other.deliver(two, "a");
  // Of another listener nothing has happened.
  CHECK(std::holds_alternative<Taken>(ledger.other.begin(two, "b")));
}

TEST_CASE("shared ledger: what waits behind a postponed event is asked for now and then") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  EventRequest first(1, {"a"});
  EventRequest second(2, {"a"});
  const EventNumber one = ledger.one.accept(first.on_entity(7));
  const EventNumber two = ledger.other.accept(second.on_entity(7));
  AttemptEnd failed;
  failed.state = State::failed;
  const auto asked_again_in = [&] {
    const BeginResult begun = ledger.other.begin_due(two, "a");
    REQUIRE(std::holds_alternative<Later>(begun));
    CHECK_FALSE(std::get<Later>(begun).held);
    return std::get<Later>(begun).due - ledger.other.clock.now();
  };
  failed.due = ledger.one.clock.now() + 3s;
  REQUIRE(ledger.one.end(ledger.one.attempt(one, "a"), failed) == Settled::done);
  CHECK(asked_again_in() > 1s);
  CHECK(asked_again_in() <= 3s);
  // An operator may end the first one long before it is due.
  failed.due = ledger.one.clock.now() + 1h;
  REQUIRE(ledger.one.end(ledger.one.attempt(one, "a"), failed) == Settled::done);
  CHECK(asked_again_in() <= 5s);
  failed.held = true;
  REQUIRE(ledger.one.end(ledger.one.attempt(one, "a"), failed) == Settled::done);
  CHECK(asked_again_in() <= 5s);
  REQUIRE(ledger.one.drop(one, "a") == Changed::done);
  ledger.other.deliver(two, "a");
}

TEST_CASE("shared ledger: what is redriven does not go beside a later event of its entity") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  EventRequest first(1, {"a"});
  EventRequest second(2, {"a"});
  const EventNumber one = ledger.one.accept(first.on_entity(7));
  const EventNumber two = ledger.one.accept(second.on_entity(7));
  ledger.one.deliver(one, "a", State::dead, 503);
  Attempt attempt = ledger.other.attempt(two, "a");
  REQUIRE(ledger.one.redrive(one, "a") == Redriven::done);
  CHECK(std::holds_alternative<Later>(ledger.one.begin_due(one, "a")));
  CHECK(std::holds_alternative<Taken>(ledger.one.begin(one, "a")));
  REQUIRE(ledger.other.end(std::move(attempt), {}) == Settled::done);
  ledger.one.deliver(one, "a");
}

TEST_CASE(
    "shared ledger: several that are redriven do not go beside a later event of their entity") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  std::vector<EventNumber> events;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    EventRequest request(number, {"a"});
    events.push_back(ledger.one.accept(request.on_entity(7)));
  }
  ledger.one.deliver(events[0], "a", State::dead, 503);
  ledger.one.deliver(events[1], "a", State::dead, 503);
  Attempt attempt = ledger.other.attempt(events[2], "a");
  REQUIRE(ledger.one.redrive(events[0], "a") == Redriven::done);
  REQUIRE(ledger.one.redrive(events[1], "a") == Redriven::done);
  CHECK(std::holds_alternative<Later>(ledger.one.begin_due(events[0], "a")));
  REQUIRE(ledger.other.end(std::move(attempt), {}) == Settled::done);
  ledger.one.deliver(events[0], "a");
  ledger.one.deliver(events[1], "a");
}

TEST_CASE("shared ledger: of what others deliver a page passes no more than its bound") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.other.tuning.pending_look_max = 10;
  ledger.open();
  ledger.one.ledger().follow({{"dispatch", "a"}});
  ledger.other.ledger().follow({{"another", "a"}});
  for (std::uint64_t number = 1; number <= 25; ++number) {
    ledger.one.accept(EventRequest(number, {"a"}));
  }
  EventRequest own(100, {"a"});
  own.request.policy = "another";
  const EventNumber event = ledger.other.accept(own);
  EventNumber after = 0;
  std::vector<std::size_t> found;
  for (bool more = true; more;) {
    const auto read = ledger.other.ledger().pending("a", after, 5);
    const auto& page = std::get<PendingPage>(read);
    found.push_back(page.items.size());
    if (!page.items.empty()) CHECK(page.items.front().event == event);
    more = page.more;
    CHECK((!more || page.reached > after));
    after = page.reached;
  }
  CHECK(found == std::vector<std::size_t>{0, 0, 1});
}

TEST_CASE("shared ledger: numbers of an entity's events rise in the order of their commits") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  constexpr int each = 20;
  const auto store = [&](PostgresLedgerBackend& instance, std::uint64_t from) {
    for (std::uint64_t number = from; number < from + each; ++number) {
      EventRequest request(number, {"a"});
      instance.accept(request.on_entity(1));
    }
  };
  std::vector<std::thread> threads;
  threads.emplace_back([&] { store(ledger.one, 100); });
  threads.emplace_back([&] { store(ledger.one, 200); });
  threads.emplace_back([&] { store(ledger.other, 300); });
  threads.emplace_back([&] { store(ledger.other, 400); });
  for (std::thread& thread : threads) thread.join();
  // Fences are drawn under the lock of the entity, which is held until the commit.
  const std::string order =
      "FROM (SELECT fence, lag(fence) OVER (ORDER BY number) AS earlier FROM events "
      "JOIN operations USING (fingerprint)) AS pairs";
  CHECK(ledger.sql("SELECT count(*) " + order) == std::to_string(4 * each));
  CHECK(ledger.sql("SELECT count(*) " + order + " WHERE earlier > fence") == "0");
}
