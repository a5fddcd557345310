// The shared ledger when its database fails: nothing that was acknowledged is lost.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "shared_ledger.hpp"
#include "store/postgres/transfer.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

namespace {

/// A server of the test's own, with a standby that commits wait for.
struct Quorum {
  PostgresServer server;
  PostgresLedgerBackend instance;

  Quorum() {
    instance.options = server.options();
    server.start_standby();
    instance.options.durability = Durability::quorum;
    instance.open();
  }
  std::string sql(const std::string& statement) const {
    return server.sql("SET search_path = " + instance.options.schema + "; " + statement);
  }
};

}  // namespace

TEST_CASE("ledger failures: the database restarts under load, and no event is lost") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  PostgresLedgerBackend instance;
  instance.options = server.options();
  instance.open();
  std::atomic<bool> over{false};
  std::atomic<std::size_t> known{0};
  std::set<EventNumber> accepted;
  std::thread restarting([&] {
    for (std::size_t restarts = 1; restarts <= 3; ++restarts) {
      static_cast<void>(eventually([&] { return known >= 20 * restarts; }));
      server.restart();
    }
    over.store(true);
  });
  for (std::uint64_t number = 1; !over.load() || accepted.size() < 80; ++number) {
    EventRequest request(number, {"a"});
    request.on_entity(number % 5);
    // What was not acknowledged may be there or not; asked again, it is.
    const bool answered = eventually([&] {
      const ReserveResult result = instance.reserve(request.request);
      if (const auto* const event = std::get_if<Accepted>(&result)) accepted.insert(event->event);
      return !is<Unavailable>(result);
    });
    if (!answered) break;
    known = accepted.size();
  }
  restarting.join();
  CHECK(accepted.size() >= 80);
  // Everything that was acknowledged is pending, and goes in order.
  std::vector<EventNumber> pending;
  for (EventNumber after = 0;;) {
    const auto page = instance.ledger().pending("a", after, 100);
    if (std::holds_alternative<Unreadable>(page)) continue;
    for (const PendingDelivery& one : std::get<PendingPage>(page).items) {
      pending.push_back(one.event);
    }
    if (!std::get<PendingPage>(page).more) break;
    after = pending.back();
  }
  for (const EventNumber event : accepted) {
    CHECK(std::ranges::find(pending, event) != pending.end());
  }
  for (const EventNumber event : pending) {
    std::optional<BeginResult> begun;
    REQUIRE(eventually([&] {
      begun = instance.begin(event, "a");
      return std::holds_alternative<Attempt>(*begun);
    }));
    REQUIRE(instance.end(std::move(std::get<Attempt>(*begun)), {}) == Settled::done);
  }
  CHECK(instance.pending("a").empty());
}

TEST_CASE("ledger failures: what cannot be written is written when the database is back") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  PostgresLedgerBackend instance;
  instance.options = server.options();
  instance.options.operation_timeout = 500ms;
  instance.open();
  const EventNumber event = instance.accept(EventRequest(1, {"a"}));
  Attempt attempt = instance.attempt(event, "a");
  server.stop_primary();
  CHECK(instance.end(std::move(attempt), {}) == Settled::failed);
  CHECK(std::holds_alternative<Taken>(instance.begin(event, "a")));
  // It is tried again now and then, and is not kept for that moment.
  CHECK(eventually([&] { return instance.store->stats().retained == 1; }));
  CHECK(std::holds_alternative<Unreadable>(instance.ledger().pending("a", 0, 10)));
  server.start_primary();
  REQUIRE(eventually([&] {
    const auto found = instance.ledger().events(fingerprint(1), 1);
    const auto* const events = std::get_if<std::vector<EventView>>(&found);
    return events != nullptr && events->at(0).deliveries.at(0).state == State::notified;
  }));
  CHECK(eventually([&] { return instance.store->stats().retained == 0; }));
  CHECK(eventually([&] { return std::holds_alternative<NotPending>(instance.begin(event, "a")); }));
}

TEST_CASE("ledger failures: neither an event nor a claim counts that no standby has") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const EventNumber event = quorum.instance.accept(EventRequest(1, {"a"}));
  quorum.server.stop_standby();
  std::optional<ReserveResult> stored;
  std::thread storing([&] { stored = quorum.instance.reserve(EventRequest(2).request); });
  quorum.server.await_waiting_commit();
  quorum.server.cancel_waiting_commits();
  storing.join();
  CHECK(is_unavailable(*stored, Unavailable::Reason::failed));
  std::optional<BeginResult> begun;
  std::thread beginning([&] { begun = quorum.instance.begin(event, "a"); });
  quorum.server.await_waiting_commit();
  quorum.server.cancel_waiting_commits();
  beginning.join();
  CHECK(std::holds_alternative<Unavailable>(*begun));
  quorum.server.start_standby();
  // The event is there all the same, and its client's next attempt gets the acknowledgement.
  CHECK(
      eventually([&] { return is<Completed>(quorum.instance.reserve(EventRequest(2).request)); }));
  CHECK(eventually(
      [&] { return std::holds_alternative<Attempt>(quorum.instance.begin(event, "a")); }));
}

TEST_CASE("ledger failures: a redrive waits for the claim of a later event of the entity") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  quorum.instance.options.operation_timeout = 30s;
  quorum.instance.open();
  EventRequest first(1, {"a"});
  EventRequest second(2, {"a"});
  const EventNumber one = quorum.instance.accept(first.on_entity(7));
  const EventNumber two = quorum.instance.accept(second.on_entity(7));
  quorum.instance.deliver(one, "a", State::dead, 503);
  // The claim is not visible yet, and holds the lock of its row.
  quorum.server.stop_standby();
  std::optional<BeginResult> begun;
  std::thread beginning([&] { begun = quorum.instance.begin(two, "a"); });
  quorum.server.await_waiting_commit();
  std::optional<Redriven> redriven;
  std::thread redriving([&] { redriven = quorum.instance.redrive(one, "a"); });
  const bool waits = eventually([&] {
    return quorum.server.sql(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "1";
  });
  quorum.server.start_standby();
  beginning.join();
  redriving.join();
  CHECK(waits);
  CHECK(std::holds_alternative<Attempt>(*begun));
  CHECK(redriven == Redriven::done);
}

TEST_CASE("ledger failures: a result that is dropped is counted and told of") {
  ONCEPROXY_NEEDS_POSTGRES();
  std::atomic<int> dropped{0};
  PostgresServer server;
  PostgresLedgerBackend instance;
  instance.options = server.options();
  instance.options.operation_timeout = 500ms;
  instance.observer.failed = [&](std::string_view kind) { dropped += kind == "retain" ? 1 : 0; };
  SECTION("if too many are kept") {
    instance.tuning.retained_max = 0;
  }
  SECTION("if the store ends") {}
  instance.open();
  const EventNumber event = instance.accept(EventRequest(1, {"a"}));
  Attempt attempt = instance.attempt(event, "a");
  server.stop_primary();
  CHECK(instance.end(std::move(attempt), {}) == Settled::failed);
  if (instance.tuning.retained_max > 0) {
    CHECK(eventually([&] { return instance.store->stats().retained == 1; }));
    CHECK(dropped == 0);
    instance.store->close();
  }
  CHECK(eventually([&] { return dropped == 1; }));
}

TEST_CASE("ledger failures: a claim whose caller was told that there is none is given up") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  quorum.instance.options.operation_timeout = 500ms;
  quorum.instance.open();
  EventRequest dispatch(1, {"a"});
  const EventNumber event = quorum.instance.accept(dispatch.on_entity(5, true));
  quorum.server.stop_standby();
  const BeginResult begun = quorum.instance.begin(event, "a");
  REQUIRE(std::holds_alternative<Unavailable>(begun));
  quorum.server.cancel_waiting_commits();
  quorum.server.start_standby();
  // It was claimed all the same, and would keep the entity from being closed.
  CHECK(eventually(
      [&] { return quorum.sql("SELECT nonce IS NULL AND NOT holding FROM deliveries") == "t"; }));
  CHECK(quorum.sql("SELECT claimant IS NULL FROM deliveries") == "t");
}

TEST_CASE("ledger failures: store move refuses while an event is not delivered") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresLedgerBackend instance;
  instance.tuning.beat = 1h;
  instance.open();
  const EventNumber event = instance.accept(EventRequest(1, {"a", "b"}));
  instance.deliver(event, "a");
  const auto moved = [&] {
    instance.store->close();
    std::size_t records = 0;
    PostgresTransfer transfer(instance.options);
    transfer.read_records([&](const CarriedRecord&) { ++records; });
    return records;
  };
  CHECK_THROWS_WITH(moved(), Catch::Contains("1 events that are not delivered"));
  instance.open();
  instance.deliver(event, "b");
  CHECK(moved() == 1);
  CHECK(instance.sql("SELECT count(*) FROM operations WHERE expires = open_event_expiry()") == "0");
}
