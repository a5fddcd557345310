// The ledger that several instances share: who has a delivery, and what becomes of the deliveries
// of one that is gone.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "shared_ledger.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

TEST_CASE("shared ledger: a delivery is one instance's at a time") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a", "b"}));
  CHECK(ledger.other.pending("a") == Numbers{event});
  {
    const Attempt attempt = ledger.one.attempt(event, "a");
    CHECK(std::holds_alternative<Taken>(ledger.other.begin(event, "a")));
    const BeginResult later = ledger.other.begin_due(event, "a");
    REQUIRE(std::holds_alternative<Later>(later));
    CHECK_FALSE(std::get<Later>(later).held);
    CHECK(ledger.other.drop(event, "a") == Changed::conflict);
    // What another one attempts is not due at once.
    const auto page = ledger.other.ledger().pending("a", 0, 10);
    CHECK(std::get<PendingPage>(page).items.at(0).due > ledger.other.clock.now());
  }
  // Dropped, it is anybody's again.
  CHECK(
      eventually([&] { return std::holds_alternative<Attempt>(ledger.other.begin(event, "a")); }));
  CHECK(eventually([&] { return std::holds_alternative<Attempt>(ledger.one.begin(event, "a")); }));
  ledger.other.deliver(event, "b");
  CHECK(std::holds_alternative<NotPending>(ledger.one.begin(event, "b")));
  CHECK(ledger.one.states(1) == Words{"a PENDING", "b NOTIFIED"});
}

TEST_CASE("shared ledger: of one event two instances begin each delivery once") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  for (std::uint64_t number = 1; number <= 20; ++number) {
    const EventNumber event = ledger.one.accept(EventRequest(number, {"a"}));
    std::atomic<int> begun{0};
    std::atomic<int> ready{0};
    const auto attempt = [&](PostgresLedgerBackend& instance) {
      ++ready;
      while (ready.load() < 2) std::this_thread::yield();
      BeginResult result = instance.begin(event, "a");
      if (auto* const mine = std::get_if<Attempt>(&result)) {
        ++begun;
        instance.end(std::move(*mine), {});
      }
    };
    std::thread first([&] { attempt(ledger.one); });
    std::thread second([&] { attempt(ledger.other); });
    first.join();
    second.join();
    REQUIRE(begun == 1);
  }
}

TEST_CASE("shared ledger: what a silent instance had is taken over, and it ends nothing any more") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.one.tuning.beat = 1h;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  Attempt attempt = ledger.one.attempt(event, "a");
  CHECK_FALSE(attempt.lapsed());
  CHECK(std::holds_alternative<Taken>(ledger.other.begin(event, "a")));
  std::optional<BeginResult> taken;
  // The other one's next sign of life may have been on its way.
  REQUIRE(eventually([&] {
    ledger.silence_first();
    taken = ledger.other.begin(event, "a");
    return std::holds_alternative<Attempt>(*taken);
  }));
  CHECK(ledger.one.end(std::move(attempt), {}) == Settled::refused);
  CHECK(ledger.one.states(1) == Words{"a PENDING"});
  CHECK(ledger.other.end(std::move(std::get<Attempt>(*taken)), {}) == Settled::done);
  CHECK(ledger.one.states(1) == Words{"a NOTIFIED"});
}

TEST_CASE("shared ledger: nobody takes over before it knows how the others are") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.one.tuning.beat = 1h;
  ledger.other.tuning.takeover_after = 1h;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  Attempt attempt = ledger.one.attempt(event, "a");
  for (int i = 0; i < 5; ++i) {
    ledger.silence_first();
    CHECK(std::holds_alternative<Taken>(ledger.other.begin(event, "a")));
  }
  CHECK(ledger.one.end(std::move(attempt), {}) == Settled::done);
}

TEST_CASE("shared ledger: what an instance had that ends in good order is free at once") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.other.tuning.takeover_after = 1h;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  const Attempt attempt = ledger.one.attempt(event, "a");
  ledger.one.store->close();
  CHECK(std::holds_alternative<Attempt>(ledger.other.begin(event, "a")));
}

TEST_CASE("shared ledger: what another instance has made due later is not begun early") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  AttemptEnd failed;
  failed.state = State::failed;
  failed.due = ledger.one.clock.now() + 1h;
  REQUIRE(ledger.one.end(ledger.one.attempt(event, "a"), failed) == Settled::done);
  const BeginResult later = ledger.other.begin_due(event, "a");
  REQUIRE(std::holds_alternative<Later>(later));
  CHECK(about(std::get<Later>(later).due, ledger.other.clock.now() + 1h));
  CHECK(std::get<Later>(later).attempts == 1);
  failed.held = true;
  REQUIRE(ledger.one.end(ledger.one.attempt(event, "a"), failed) == Settled::done);
  const BeginResult held = ledger.other.begin_due(event, "a");
  REQUIRE(std::holds_alternative<Later>(held));
  CHECK(std::get<Later>(held).held);
  // To end it as removed it is begun whenever.
  CHECK(std::holds_alternative<Attempt>(ledger.other.begin(event, "a")));
}

TEST_CASE("shared ledger: what is left is told to the others, and only that") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.other.tuning.others_patience = 300ms;
  ledger.open();
  Told told;
  ledger.other.ledger().watch(&told);
  const EventNumber gone = ledger.one.accept(EventRequest(1, {"gone"}));
  ledger.one.deliver(gone, "gone");
  const EventNumber event = ledger.one.accept(EventRequest(2, {"left"}));
  // Right after that it is the first one's alone.
  CHECK(ledger.one.pending("left") == Numbers{event});
  REQUIRE(told.signal.wait([&] { return !told.again.empty(); }));
  CHECK(ledger.other.pending("left") == Numbers{event});
  ledger.other.deliver(event, "left");
  ledger.other.ledger().watch(nullptr);
  for (const DeliveryKey& key : told.again) CHECK(key.listener == "left");
  CHECK(told.events.empty());
}

TEST_CASE("shared ledger: a redrive by one instance is delivered by another") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  ledger.one.deliver(event, "a", State::dead, 503);
  Told told;
  ledger.other.ledger().watch(&told);
  CHECK(ledger.one.redrive(event, "a") == Redriven::done);
  CHECK(told.signal.wait([&] { return !told.again.empty(); }));
  ledger.other.ledger().watch(nullptr);
  ledger.other.deliver(event, "a");
  CHECK(ledger.one.redrive(event, "a") == Redriven::conflict);
  const EventNumber next = ledger.one.accept(EventRequest(2, {"a"}));
  CHECK(ledger.other.drop(next, "a") == Changed::done);
  CHECK(std::holds_alternative<NotPending>(ledger.one.begin(next, "a")));
}

TEST_CASE("shared ledger: deliveries are those instances' that have the route") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.other.tuning.orphaned_after = 300ms;
  ledger.open();
  ledger.one.ledger().follow({{"dispatch", "a"}});
  ledger.other.ledger().follow({{"another", "a"}});
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  const auto is_left_alone = [&] {
    return ledger.other.pending("a").empty() &&
           ledger.other.ledger().listeners_with_pending().empty() &&
           std::holds_alternative<NotPending>(ledger.other.begin(event, "a")) &&
           std::holds_alternative<NotPending>(ledger.other.begin_due(event, "a"));
  };
  CHECK(ledger.one.pending("a") == Numbers{event});
  CHECK(is_left_alone());
  SECTION("one that has the route may be down") {
    ledger.one.store->close();
    // As if it had been killed, an hour ago.
    ledger.sql("UPDATE routes SET kept = true, seen = seen - 3600000 WHERE policy = 'dispatch'");
    ledger.one.advance(1h);
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end) REQUIRE(is_left_alone());
    // A day later it is over.
    ledger.sql("UPDATE routes SET seen = seen - 86400000 WHERE policy = 'dispatch'");
  }
  SECTION("one that had it has it no more") {
    ledger.one.ledger().follow({});
  }
  SECTION("one that had it has ended") {
    ledger.one.store->close();
  }
  REQUIRE(eventually([&] { return ledger.other.pending("a") == Numbers{event}; }));
  CHECK(ledger.other.ledger().listeners_with_pending() == Words{"a"});
  const BeginResult begun = ledger.other.begin(event, "a");
  REQUIRE(std::holds_alternative<Attempt>(begun));
  CHECK(std::get<Attempt>(begun).orphaned());
}

TEST_CASE("shared ledger: an instance that was away ends nothing for want of its route") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.other.tuning.orphaned_after = 1h;
  ledger.open();
  const EventNumber event = ledger.one.accept(EventRequest(1, {"a"}));
  ledger.other.ledger().follow({{"another", "a"}});
  // Nobody has had the route for a day, but this instance has not been there for long itself.
  ledger.one.store->close();
  ledger.one.advance(48h);
  ledger.sql("DELETE FROM routes");
  CHECK(ledger.other.pending("a").empty());
  CHECK(std::holds_alternative<NotPending>(ledger.other.begin(event, "a")));
}

TEST_CASE("shared ledger: an entity is not closed by one instance while another attempts") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.one.tuning.beat = 1h;
  ledger.open();
  EventRequest dispatch(1, {"a"});
  dispatch.on_entity(5, true);
  const EventNumber event = ledger.one.accept(dispatch);
  Attempt attempt = ledger.one.attempt(event, "a");
  REQUIRE(attempt.holds_entity());
  HandLoop hands;
  const ReserveRequest decline = closing(2, 5);
  Waiting<ReserveResult> declined(hands);
  REQUIRE_FALSE(ledger.other.store->reserve(decline, declined));
  ledger.other.accept(EventRequest(100));
  CHECK(hands.delivered() == 0);
  SECTION("until it is sent") {
    attempt.sent();
    REQUIRE(hands.run_until([&] { return declined.answered(); }));
    CHECK(is<Reserved>(*declined.result));
    CHECK(ledger.one.end(std::move(attempt), {}) == Settled::done);
  }
  SECTION("until it has ended") {
    CHECK(ledger.one.end(std::move(attempt), {}) == Settled::done);
    REQUIRE(hands.run_until([&] { return declined.answered(); }));
    CHECK(is<Reserved>(*declined.result));
  }
  SECTION("unless its instance is gone") {
    std::atomic<bool> done{false};
    std::thread silence([&] {
      static_cast<void>(eventually([&] {
        ledger.silence_first();
        return done.load();
      }));
    });
    const bool answered = hands.run_until([&] { return declined.answered(); });
    done.store(true);
    silence.join();
    REQUIRE(answered);
    CHECK(is<Reserved>(*declined.result));
  }
}

TEST_CASE("shared ledger: an event keeps nobody from its payload's space once it is over") {
  ONCEPROXY_NEEDS_POSTGRES();
  SharedLedger ledger;
  ledger.one.tuning.purged_max = 7;
  ledger.one.tuning.looks_max = 5;
  ledger.open();
  std::vector<EventNumber> events;
  for (std::uint64_t number = 1; number <= 30; ++number) {
    events.push_back(ledger.one.accept(EventRequest(number)));
  }
  CHECK(ledger.other.ledger().figures().payload_bytes > 0);
  CHECK(ledger.other.ledger().figures().events_open == 30);
  for (const EventNumber event : events) {
    ledger.one.deliver(event, "a");
    ledger.other.deliver(event, "b");
    ledger.one.deliver(event, "c", State::dead);
  }
  REQUIRE(eventually([&] { return ledger.sql("SELECT count(*) FROM looks") == "0"; }));
  CHECK(ledger.one.ledger().figures().events_open == 0);
  CHECK(ledger.sql("SELECT count(*) FROM payloads") == "30");
  for (const EventNumber event : events) CHECK(ledger.other.drop(event, "c") == Changed::done);
  REQUIRE(eventually([&] { return ledger.sql("SELECT count(*) FROM payloads") == "0"; }));
  CHECK(ledger.one.ledger().figures().payload_bytes == 0);
  ledger.one.advance(61s);
  REQUIRE(eventually([&] { return ledger.sql("SELECT count(*) FROM events") == "0"; }));
  CHECK(ledger.sql("SELECT count(*) FROM deliveries") == "0");
  CHECK(ledger.one.ledger().figures().payload_bytes == 0);
}
