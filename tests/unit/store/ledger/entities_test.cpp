// What every ledger promises of entities: the same tests against each backend.
#include <catch2/catch.hpp>
#include <thread>

#include "ledgers.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

TEMPLATE_TEST_CASE("ledger: an event closes its entity, and raises its sequence, when it is stored",
                   "", RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  EventRequest decline(1, {"a"});
  decline.on_entity(5);
  decline.request.entity->closes = 1h;
  decline.request.entity->sequence = 10;
  fixture.accept(decline);
  EventRequest dispatch(2, {"a"});
  dispatch.on_entity(5, true);
  CHECK(is<Closed>(fixture.reserve(dispatch.request)));
  EventRequest stale(3, {"a"});
  stale.on_entity(5);
  stale.request.entity->sequence = 9;
  CHECK(is<Stale>(fixture.reserve(stale.request)));
  fixture.open();
  CHECK(is<Closed>(fixture.reserve(dispatch.request)));
  CHECK(is<Stale>(fixture.reserve(stale.request)));
}

TEMPLATE_TEST_CASE(
    "ledger: what is pending for an entity that was closed is cancelled and never begun", "",
    RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  EventRequest dispatch(1, {"a", "b"});
  dispatch.on_entity(5, true);
  const EventNumber event = fixture.accept(dispatch);
  fixture.deliver(event, "a");
  REQUIRE(fixture.complete(fixture.permit(closing(2, 5)), answer(200, "declined")) ==
          Settled::done);
  CHECK(std::holds_alternative<Cancelled>(fixture.begin(event, "b")));
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b CANCELLED"});
  CHECK(fixture.view(1).deliveries[1].error == "the entity is closed");
  CHECK(fixture.figures("b").cancelled_total == 1);
  CHECK(std::holds_alternative<NotPending>(fixture.begin(event, "b")));
}

TEMPLATE_TEST_CASE("ledger: a redrive asks closing and sequence as a request does", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  EventRequest dispatch(1, {"a"});
  dispatch.on_entity(5, true);
  dispatch.request.entity->sequence = 3;
  const EventNumber event = fixture.accept(dispatch);
  fixture.deliver(event, "a", State::dead);
  CHECK(fixture.redrive(event, "a") == Redriven::done);
  fixture.deliver(event, "a", State::dead);
  EventRequest later(2, {"b"});
  later.on_entity(5);
  later.request.entity->sequence = 4;
  fixture.accept(later);
  CHECK(fixture.redrive(event, "a") == Redriven::stale);
  REQUIRE(fixture.complete(fixture.permit(closing(3, 5)), answer(200, "")) == Settled::done);
  CHECK(fixture.redrive(event, "a") == Redriven::closed);
  CHECK(fixture.states(1) == Words{"a DEAD"});
}

TEMPLATE_TEST_CASE("ledger: what closes an entity is not begun until an attempt is on its way", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  HandLoop hands;
  EventRequest dispatch(1, {"a", "b", "c"});
  dispatch.on_entity(5, true);
  const EventNumber event = fixture.accept(dispatch);
  Attempt one = fixture.attempt(event, "a");
  Attempt other = fixture.attempt(event, "b");  // attempts go beside each other
  CHECK(one.holds_entity());
  const ReserveRequest decline = closing(2, 5);
  Waiting<ReserveResult> declined(hands);
  REQUIRE_FALSE(fixture.store->reserve(decline, declined));
  // Whatever was on its way to the disk before this is there after it.
  fixture.accept(EventRequest(100));
  CHECK(hands.delivered() == 0);
  one.sent();
  fixture.accept(EventRequest(101));
  CHECK(hands.delivered() == 0);
  // A later attempt waits behind what closes, or is to be asked for again.
  Waiting<BeginResult> third(hands);
  if constexpr (TestType::is_shared) {
    CHECK(std::holds_alternative<Taken>(fixture.begin(event, "c")));
  } else {
    REQUIRE_FALSE(fixture.ledger().begin({event, "c"}, third));
  }
  other.sent();
  other.sent();
  REQUIRE(hands.run_until([&] { return declined.answered(); }));
  REQUIRE(is<Reserved>(*declined.result));
  if constexpr (TestType::is_shared) {
    CHECK(std::holds_alternative<Taken>(fixture.begin(event, "c")));
  }
  CHECK_FALSE(third.answered());
  REQUIRE(fixture.complete(std::move(std::get<Reserved>(*declined.result).permit),
                           answer(200, "")) == Settled::done);
  if constexpr (TestType::is_shared) {
    CHECK(std::holds_alternative<Cancelled>(fixture.begin(event, "c")));
  } else {
    REQUIRE(hands.run_until([&] { return third.answered(); }));
    CHECK(std::holds_alternative<Cancelled>(*third.result));
  }
  AttemptEnd done;
  CHECK(fixture.end(std::move(one), done) == Settled::done);
  CHECK(fixture.end(std::move(other), done) == Settled::done);
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b NOTIFIED", "c CANCELLED"});
}

TEMPLATE_TEST_CASE("ledger: an attempt goes on where the operation before it did not close", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  HandLoop hands;
  EventRequest dispatch(1, {"a"});
  dispatch.on_entity(5, true);
  const EventNumber event = fixture.accept(dispatch);
  REQUIRE(fixture.release(fixture.permit(closing(2, 5))) == Settled::done);
  std::optional<BeginResult> begun = begin_in_turn(fixture, event, "a");
  REQUIRE(std::holds_alternative<Attempt>(*begun));
  // It keeps the next one waiting, and lets it go when it is dropped.
  const ReserveRequest next = closing(3, 5);
  Waiting<ReserveResult> declined(hands);
  REQUIRE_FALSE(fixture.store->reserve(next, declined));
  begun.reset();
  REQUIRE(hands.run_until([&] { return declined.answered(); }));
  CHECK(is<Reserved>(*declined.result));
}

TEMPLATE_TEST_CASE("ledger: none is begun after what closed its entity was answered", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  constexpr std::uint64_t rounds = 25;
  const std::vector<std::string> listeners{"a", "b", "c"};
  int begun = 0;
  int cancelled = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    EventRequest dispatch(round);
    dispatch.on_entity(round, true);
    const EventNumber event = fixture.accept(dispatch);
    std::atomic<bool> declined{false};
    std::atomic<int> late{0};
    std::atomic<int> sent{0};
    std::thread decliner([&] {
      HandLoop hands;
      const ReserveRequest decline = closing(1'000'000 + round, round);
      Waiting<ReserveResult> call(hands);
      if (!fixture.store->reserve(decline, call)) {
        hands.run_until([&] { return call.answered(); });
      }
      auto* const reserved = std::get_if<Reserved>(&*call.result);
      if (reserved == nullptr) return;
      fixture.complete(std::move(reserved->permit), answer(200, ""));
      declined.store(true);
    });
    for (const std::string& listener : listeners) {
      BeginResult result = begin_in_turn(fixture, event, listener);
      auto* const attempt = std::get_if<Attempt>(&result);
      if (attempt == nullptr) {
        ++cancelled;
        continue;
      }
      // It is sent at any moment of this, which must be before the answer.
      for (int i = 0; i < 200 && !declined.load(); ++i) std::this_thread::yield();
      if (declined.load()) ++late;
      ++sent;
      attempt->sent();
      fixture.end(std::move(*attempt), {});
    }
    decliner.join();
    begun += sent;
    REQUIRE(late == 0);
    REQUIRE(declined.load());
    for (const DeliveryView& delivery : fixture.view(round).deliveries) {
      REQUIRE(is_ended(delivery.state));
    }
  }
  CHECK(begun + cancelled == static_cast<int>(rounds * listeners.size()));
}
