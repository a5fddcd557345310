// What every ledger promises of deliveries: the same tests against each backend.
#include <algorithm>
#include <catch2/catch.hpp>

#include "ledgers.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

TEMPLATE_TEST_CASE("ledger: deliveries end each in its own state, and are counted", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1));
  fixture.deliver(event, "a");
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b PENDING", "c PENDING"});
  AttemptEnd retry;
  retry.state = State::failed;
  retry.due = fixture.clock.now() + 300s;
  retry.status = 503;
  retry.error = "busy";
  REQUIRE(fixture.end(fixture.attempt(event, "b"), retry) == Settled::done);
  const auto page = fixture.ledger().pending("b", 0, 10);
  REQUIRE(std::get<PendingPage>(page).items.size() == 1);
  CHECK(std::get<PendingPage>(page).items[0].attempts == 1);
  CHECK(about(std::get<PendingPage>(page).items[0].due, fixture.clock.now() + 300s));
  const EventView between = fixture.view(1);
  CHECK(between.deliveries[1].state == State::failed);
  CHECK(between.deliveries[1].status == 503);
  CHECK(between.deliveries[1].error == "busy");
  CHECK_FALSE(between.ended);
  Attempt second = fixture.attempt(event, "b");
  CHECK(second.number() == 2);
  AttemptEnd dead;
  dead.state = State::dead;
  dead.status = 410;
  REQUIRE(fixture.end(std::move(second), dead) == Settled::done);
  CHECK(fixture.drop(event, "c") == Changed::done);
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b DEAD", "c REMOVED"});
  CHECK(fixture.figures("a").notified_total == 1);
  CHECK(fixture.figures("b").dead == 1);
  CHECK(fixture.figures("b").failed_total == 1);
  CHECK(fixture.figures("c").removed_total == 1);
  CHECK(fixture.figures("b").pending == 0);
  CHECK(eventually([&] { return fixture.ledger().figures().events_open == 0; }));
  fixture.open();
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b DEAD", "c REMOVED"});
  CHECK(fixture.figures("b").dead == 1);
}

TEMPLATE_TEST_CASE("ledger: what was not attempted uses no attempt up", "", RocksDbLedgerBackend,
                   PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a"}));
  AttemptEnd open_circuit;
  open_circuit.state = State::failed;
  open_circuit.attempted = false;
  open_circuit.due = fixture.clock.now() + 1s;
  REQUIRE(fixture.end(fixture.attempt(event, "a"), open_circuit) == Settled::done);
  CHECK(fixture.attempt(event, "a").number() == 1);
  CHECK(fixture.states(1) == Words{"a PENDING"});
  CHECK(fixture.figures("a").failed_total == 0);
}

TEMPLATE_TEST_CASE("ledger: one delivery is one holder's at a time", "", RocksDbLedgerBackend,
                   PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1));
  {
    const Attempt attempt = fixture.attempt(event, "a");
    CHECK(std::holds_alternative<Taken>(fixture.begin(event, "a")));
    CHECK(fixture.drop(event, "a") == Changed::conflict);
    CHECK(std::holds_alternative<Attempt>(fixture.begin(event, "b")));
  }
  fixture.deliver(event, "a");
  CHECK(std::holds_alternative<NotPending>(fixture.begin(event, "a")));
  CHECK(std::holds_alternative<NotPending>(fixture.begin(event + 1, "a")));
  CHECK(std::holds_alternative<NotPending>(fixture.begin(event, "nobody")));
  CHECK(fixture.drop(event, "a") == Changed::conflict);
}

TEMPLATE_TEST_CASE("ledger: a dead letter is kept for its retention, and is redriven until then",
                   "", RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.limits().dead_retention = 1h;
  fixture.open();
  Told told;
  const EventNumber event = fixture.accept(EventRequest(1, {"a", "b"}));
  fixture.deliver(event, "a");
  CHECK(fixture.redrive(event, "a") == Redriven::conflict);
  CHECK(fixture.redrive(event, "b") == Redriven::conflict);
  fixture.deliver(event, "b", State::dead, 503);
  CHECK(fixture.redrive(event + 1, "b") == Redriven::absent);
  REQUIRE(eventually([&] { return fixture.view(1).ended.has_value(); }));
  fixture.advance(30min);
  DeliveryFilter letters;
  letters.states = {State::dead};
  const auto listed = fixture.ledger().deliveries(letters, std::nullopt, 10);
  REQUIRE(std::get<DeliveryPage>(listed).items.size() == 1);
  CHECK(std::get<DeliveryPage>(listed).items[0].key == DeliveryKey{event, "b"});
  CHECK(fixture.pending("b").empty());
  const EventNumber later = fixture.accept(EventRequest(2, {"b"}));
  fixture.ledger().watch(&told);
  CHECK(fixture.redrive(event, "b") == Redriven::done);
  CHECK(told.signal.wait([&] {
    return std::ranges::find(told.again, DeliveryKey{event, "b"}) != told.again.end();
  }));
  fixture.ledger().watch(nullptr);
  CHECK(fixture.pending("b") == Numbers{event, later});
  CHECK(fixture.ledger().figures().events_open == 2);
  CHECK_FALSE(fixture.view(1).ended);
  CHECK(fixture.attempt(event, "b").number() == 1);
  fixture.deliver(event, "b", State::dead, 500);
  REQUIRE(eventually([&] { return fixture.view(1).ended.has_value(); }));
  fixture.advance(59min);
  CHECK(std::get<std::shared_ptr<const Event>>(fixture.ledger().event(event)) != nullptr);
  fixture.advance(2min);
  REQUIRE(eventually([&] {
    const auto found = fixture.ledger().events(fingerprint(1), 10);
    return std::get<std::vector<EventView>>(found).empty();
  }));
  CHECK(fixture.redrive(event, "b") == Redriven::absent);
  CHECK(fixture.figures("b").dead == 0);
}

TEMPLATE_TEST_CASE("ledger: a dead letter that is dropped frees its payload", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a"}));
  fixture.deliver(event, "a", State::dead);
  REQUIRE(eventually([&] { return fixture.view(1).ended.has_value(); }));
  CHECK(fixture.view(1).payload_kept);
  CHECK(fixture.drop(event, "a") == Changed::done);
  REQUIRE(eventually([&] { return !fixture.view(1).payload_kept; }));
  CHECK(fixture.states(1) == Words{"a REMOVED"});
  CHECK(fixture.redrive(event, "a") == Redriven::conflict);
}

TEMPLATE_TEST_CASE("ledger: what is to go later is not begun as due", "", RocksDbLedgerBackend,
                   PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a"}));
  AttemptEnd failed;
  failed.state = State::failed;
  failed.due = fixture.clock.now() + 1h;
  REQUIRE(fixture.end(fixture.attempt(event, "a"), failed) == Settled::done);
  const BeginResult later = fixture.begin_due(event, "a");
  REQUIRE(std::holds_alternative<Later>(later));
  CHECK_FALSE(std::get<Later>(later).held);
  CHECK(about(std::get<Later>(later).due, fixture.clock.now() + 1h));
  CHECK(std::get<Later>(later).attempts == 1);
  fixture.advance(2h);
  failed.held = true;
  {
    BeginResult due = fixture.begin_due(event, "a");
    REQUIRE(std::holds_alternative<Attempt>(due));
    REQUIRE(fixture.end(std::move(std::get<Attempt>(due)), failed) == Settled::done);
  }
  const BeginResult held = fixture.begin_due(event, "a");
  REQUIRE(std::holds_alternative<Later>(held));
  CHECK(std::get<Later>(held).held);
  CHECK(fixture.redrive(event, "a") == Redriven::done);
  CHECK(std::holds_alternative<Attempt>(fixture.begin_due(event, "a")));
}

TEMPLATE_TEST_CASE("ledger: a held delivery waits for an operator", "", RocksDbLedgerBackend,
                   PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a"}));
  AttemptEnd unknown;
  unknown.state = State::failed;
  unknown.held = true;
  unknown.error = "the answer was lost";
  REQUIRE(fixture.end(fixture.attempt(event, "a"), unknown) == Settled::done);
  const auto page = fixture.ledger().pending("a", 0, 10);
  CHECK(std::get<PendingPage>(page).items.at(0).held);
  CHECK(fixture.view(1).deliveries[0].held);
  CHECK(fixture.redrive(event, "a") == Redriven::done);
  CHECK_FALSE(fixture.view(1).deliveries[0].held);
}

TEMPLATE_TEST_CASE("ledger: what was not delivered is found without a walk over all events", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  // So much is looked at for one page of a walk.
  fixture.tuning.scan_max = 4;
  fixture.open();
  Numbers all;
  for (std::uint64_t i = 1; i <= 250; ++i) all.push_back(fixture.accept(EventRequest(i, {"a"})));
  const Numbers undelivered(all.begin() + 230, all.begin() + 234);
  for (const EventNumber event : all) {
    if (std::ranges::find(undelivered, event) == undelivered.end()) fixture.deliver(event, "a");
  }
  CHECK(fixture.drop(undelivered[0], "a") == Changed::done);
  CHECK(fixture.drop(undelivered[1], "a") == Changed::done);
  fixture.deliver(undelivered[2], "a", State::dead);
  const auto page = [&](std::vector<State> states, std::size_t limit) {
    DeliveryFilter filter;
    filter.states = std::move(states);
    return std::get<DeliveryPage>(fixture.ledger().deliveries(filter, std::nullopt, limit));
  };
  const auto found = [&](std::vector<State> states) {
    Numbers out;
    for (const auto& one : page(std::move(states), 10).items) out.push_back(one.key.event);
    return out;
  };
  CHECK(found({State::removed}) == Numbers{undelivered[0], undelivered[1]});
  CHECK(found({State::cancelled}).empty());
  CHECK(found({State::pending, State::failed, State::dead, State::cancelled, State::removed}) ==
        undelivered);
  // The index goes with the events.
  fixture.advance(61s);
  CHECK(eventually([&] {
    const DeliveryPage first = page({State::removed}, 1);
    return first.items.empty() && !first.next;
  }));
}

TEMPLATE_TEST_CASE("ledger: the listings find by state, listener, policy and time, page by page",
                   "", RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  Numbers all;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    fixture.advance(1h);
    all.push_back(fixture.accept(EventRequest(i, {"a", "b"})));
  }
  // Half an hour before each of them.
  const WallTime now = fixture.now() - 30min;
  const std::vector<WallTime> times{now - 5h, now - 4h, now - 3h, now - 2h, now - 1h, now};
  fixture.deliver(all[0], "a");
  fixture.deliver(all[1], "b", State::dead);
  const auto keys = [&](const DeliveryFilter& filter, std::size_t limit) {
    std::vector<DeliveryKey> out;
    std::optional<DeliveryKey> after;
    for (int page = 0; page < 100; ++page) {
      const auto found = fixture.ledger().deliveries(filter, after, limit);
      for (const DeliveryView& one : std::get<DeliveryPage>(found).items) out.push_back(one.key);
      after = std::get<DeliveryPage>(found).next;
      if (!after) break;
    }
    return out;
  };
  for (const std::size_t limit : {1, 2, 3, 100}) {
    CHECK(keys({}, limit).size() == 12);
    DeliveryFilter undelivered;
    undelivered.states = {State::pending, State::failed, State::dead};
    CHECK(keys(undelivered, limit).size() == 11);
    undelivered.listener = "b";
    CHECK(keys(undelivered, limit).size() == 6);
    undelivered.since = times[3];
    CHECK(keys(undelivered, limit) ==
          std::vector<DeliveryKey>{{all[3], "b"}, {all[4], "b"}, {all[5], "b"}});
    DeliveryFilter notified;
    notified.states = {State::notified};
    CHECK(keys(notified, limit) == std::vector<DeliveryKey>{{all[0], "a"}});
    DeliveryFilter of_event;
    of_event.event = fingerprint(2);
    CHECK(keys(of_event, limit) == std::vector<DeliveryKey>{{all[1], "a"}, {all[1], "b"}});
    DeliveryFilter late;
    late.since = times[4];
    CHECK(keys(late, limit).size() == 4);
    late.until = times[5];
    CHECK(keys(late, limit).size() == 2);
    DeliveryFilter other;
    other.policy = "another";
    CHECK(keys(other, limit).empty());
  }
}
