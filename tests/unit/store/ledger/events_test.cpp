// What every ledger promises of events: the same tests against each backend.
#include <catch2/catch.hpp>

#include "ledgers.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

TEMPLATE_TEST_CASE(
    "ledger: an event is pending for each of its listeners, and its duplicates are acknowledged",
    "", RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventRequest request(1);
  const EventNumber event = fixture.accept(request);
  for (const char* const listener : {"a", "b", "c"}) {
    CHECK(fixture.pending(listener) == Numbers{event});
  }
  CHECK(fixture.ledger().listeners_with_pending() == Words{"a", "b", "c"});
  const ReserveResult again = fixture.reserve(request.request);
  REQUIRE(is<Completed>(again));
  CHECK(std::get<Completed>(again).answer.status == 202);
  CHECK(std::get<Completed>(again).answer.body == "accepted");
  EventRequest other(1);
  other.request.payload = payload(2);
  EventRequest known(2);
  known.request.payload = payload(1);
  fixture.accept(known);
  known.request.payload = payload(2);
  CHECK(is<Mismatch>(fixture.reserve(known.request)));
  CHECK(fixture.pending("a").size() == 2);
  CHECK(fixture.store->stats().reservations_active == 0);
}

TEMPLATE_TEST_CASE("ledger: an event is read back as it came", "", RocksDbLedgerBackend,
                   PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  EventRequest request(1);
  request.body.assign(100'000, 'x');
  request.draft.body = request.body;
  request.on_entity(7);
  request.request.trace = "trace";
  const EventNumber number = fixture.accept(request);
  const auto found = fixture.ledger().event(number);
  const auto& event = std::get<std::shared_ptr<const Event>>(found);
  REQUIRE(event);
  CHECK(event->fingerprint == fingerprint(1));
  CHECK(event->policy == "dispatch");
  CHECK(event->method == "POST");
  CHECK(event->target == "/rides?x=1");
  CHECK(event->head == "content-type: application/json\r\n");
  CHECK(event->body == request.body);
  CHECK(event->trace == "trace");
  CHECK(event->entity == entity_key(7));
  CHECK(event->entity_id == "r7");
  CHECK(fixture.ledger().figures().payload_bytes ==
        request.body.size() + request.draft.head.size());
}

TEMPLATE_TEST_CASE("ledger: what was stored is told before its request is answered", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  Told told;
  fixture.ledger().watch(&told);
  const EventNumber event = fixture.accept(EventRequest(1));
  REQUIRE(told.events.size() == 1);
  CHECK(told.events[0]->number == event);
  CHECK(told.events[0]->body == "{\"ride\":1}");
  fixture.ledger().watch(nullptr);
  fixture.accept(EventRequest(2));
  CHECK(told.events.size() == 1);
}

TEMPLATE_TEST_CASE("ledger: numbers rise, also over a restart after everything was purged", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventNumber first = fixture.accept(EventRequest(1, {"a"}));
  fixture.deliver(first, "a");
  REQUIRE(eventually([&] { return fixture.view(1).ended.has_value(); }));
  fixture.advance(61s);
  REQUIRE(eventually([&] {
    const auto found = fixture.ledger().events(fingerprint(1), 10);
    return std::get<std::vector<EventView>>(found).empty();
  }));
  fixture.open();
  CHECK(fixture.accept(EventRequest(2, {"a"})) > first);
}

TEMPLATE_TEST_CASE("ledger: pages go in the order of numbers, from anywhere", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  Numbers all;
  for (std::uint64_t i = 1; i <= 9; ++i)
    all.push_back(fixture.accept(EventRequest(i, {"a", "ab"})));
  auto found = fixture.ledger().pending("a", 0, 4);
  CHECK(std::get<PendingPage>(found).items.size() == 4);
  CHECK(std::get<PendingPage>(found).more);
  CHECK(fixture.pending("a", all[3]) == Numbers(all.begin() + 4, all.end()));
  CHECK(fixture.pending("ab") == all);
  for (std::size_t i = 0; i < 8; ++i) fixture.deliver(all[i], "a");
  CHECK(fixture.pending("a") == Numbers{all[8]});
  CHECK(fixture.pending("a") == Numbers{all[8]});
  CHECK(fixture.pending("ab") == all);
  CHECK(about(fixture.figures("a").oldest_pending, fixture.now()));
}

TEMPLATE_TEST_CASE("ledger: the window of the record begins when the last delivery has ended", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.remember_nothing();
  fixture.open();
  const EventRequest request(1, {"a", "b"});
  const EventNumber event = fixture.accept(request);
  fixture.deliver(event, "a");
  fixture.advance(24h * 365);
  CHECK(is<Completed>(fixture.reserve(request.request)));
  fixture.deliver(event, "b");
  REQUIRE(eventually([&] { return !fixture.view(1).payload_kept; }));
  CHECK(about(fixture.view(1).ended, fixture.now()));
  CHECK(fixture.ledger().figures().payload_bytes == 0);
  fixture.advance(30s);
  CHECK(is<Completed>(fixture.reserve(request.request)));
  fixture.advance(31s);
  const ReserveResult anew = fixture.reserve(request.request);
  REQUIRE(is<Accepted>(anew));
  CHECK(std::get<Accepted>(anew).event > event);
}

TEMPLATE_TEST_CASE("ledger: another acknowledgement is what duplicates get from then on", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.open();
  const EventRequest request(1, {"a"});
  const EventNumber event = fixture.accept(request);
  CHECK(is<Completed>(fixture.reserve(request.request)));
  CHECK(is<Completed>(fixture.reserve(request.request)));  // from memory
  Waiting<Settled> call(fixture.loop);
  if (fixture.ledger().acknowledge(event, answer(202, "a NOTIFIED"), call)) call.at_once();
  CHECK(call.wait() == Settled::done);
  CHECK(std::get<Completed>(fixture.reserve(request.request)).answer.body == "a NOTIFIED");
  fixture.open();
  CHECK(std::get<Completed>(fixture.reserve(request.request)).answer.body == "a NOTIFIED");
  Waiting<Settled> late(fixture.loop);
  if (fixture.ledger().acknowledge(event + 1, answer(202, ""), late)) late.at_once();
  CHECK(late.wait() == Settled::refused);
}

TEMPLATE_TEST_CASE("ledger: an acknowledgement of many listeners is kept as long as its record", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.remember_nothing();
  fixture.open();
  const EventRequest asked(1, {"a"});
  const EventNumber event = fixture.accept(asked);
  const std::string many(100'000, 'x');
  Waiting<Settled> call(fixture.loop);
  if (fixture.ledger().acknowledge(event, answer(202, many), call)) call.at_once();
  REQUIRE(call.wait() == Settled::done);
  CHECK(std::get<Completed>(fixture.reserve(asked.request)).answer.body == many);
  fixture.deliver(event, "a");
  REQUIRE(eventually([&] { return fixture.ledger().figures().payload_bytes == 0; }));
  fixture.open();
  CHECK(std::get<Completed>(fixture.reserve(asked.request)).answer.body == many);
  fixture.advance(61s);
  CHECK(is<Reserved>(fixture.reserve(request(1))));
}

TEMPLATE_TEST_CASE("ledger: an acknowledgement beside the last delivery's end takes nothing back",
                   "", RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.remember_nothing();
  fixture.open();
  for (std::uint64_t i = 1; i <= 50; ++i) {
    const EventRequest request(i, {"a"});
    const EventNumber event = fixture.accept(request);
    Waiting<Settled> ended(fixture.loop);
    Waiting<Settled> acknowledged(fixture.loop);
    if (fixture.ledger().end(fixture.attempt(event, "a"), {}, ended)) ended.at_once();
    if (fixture.ledger().acknowledge(event, answer(202, "all"), acknowledged)) {
      acknowledged.at_once();
    }
    REQUIRE(ended.wait() == Settled::done);
    REQUIRE(acknowledged.wait() == Settled::done);
  }
  REQUIRE(eventually([&] { return fixture.ledger().figures().payload_bytes == 0; }));
  CHECK(std::get<Completed>(fixture.reserve(request(7))).answer.body == "all");
  fixture.advance(61s);
  for (std::uint64_t i = 1; i <= 50; ++i) CHECK(is<Reserved>(fixture.reserve(request(i))));
}

TEMPLATE_TEST_CASE("ledger: over the bound new events are refused, and known ones are not", "",
                   RocksDbLedgerBackend, PostgresLedgerBackend) {
  ONCEPROXY_NEEDS_LEDGER();
  TestType fixture;
  fixture.limits().bytes_max = 1'000;
  fixture.open();
  EventRequest large(1, {"a"});
  large.body.assign(900, 'x');
  large.draft.body = large.body;
  const EventNumber event = fixture.accept(large);
  EventRequest more(2, {"a"});
  more.body.assign(100, 'x');
  more.draft.body = more.body;
  CHECK(is_unavailable(fixture.reserve(more.request), Unavailable::Reason::events));
  CHECK(is<Completed>(fixture.reserve(large.request)));
  CHECK(is<Reserved>(fixture.reserve(request(3))));  // not an event
  LedgerOptions raised = fixture.limits();
  raised.bytes_max = 2'000;
  fixture.ledger().limit(raised);
  EventRequest fits(4, {"b"});
  fits.body.assign(100, 'x');
  fits.draft.body = fits.body;
  fixture.accept(fits);
  CHECK(fixture.ledger().figures().payload_bytes_max == 2'000);
  fixture.deliver(fixture.pending("b").at(0), "b");
  fixture.ledger().limit(fixture.limits());
  fixture.deliver(event, "a");
  REQUIRE(eventually([&] { return fixture.ledger().figures().payload_bytes == 0; }));
  fixture.accept(more);
}
