// Events from their reserve to the end of their deliveries, over restarts, crashes and races.
#include <sys/wait.h>
#include <unistd.h>

#include <rocksdb/db.h>
#include <catch2/catch.hpp>
#include <thread>

#include "ledger_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using State = DeliveryState;

namespace {

using Words = std::vector<std::string>;
using Numbers = std::vector<EventNumber>;

EntityTerms entity_terms(std::uint64_t number) {
  EntityTerms out;
  out.key = entity_key(number);
  out.type = "ride";
  out.id = "r";
  out.turn = 10s;
  return out;
}

/// A request that closes its entity when it completes.
ReserveRequest closing(std::uint64_t number, std::uint64_t entity) {
  ReserveRequest out = request(number);
  out.entity = entity_terms(entity);
  out.entity->closes = 1h;
  return out;
}

struct Told final : LedgerWatch {
  Signal signal;
  std::vector<std::shared_ptr<const Event>> events;
  std::vector<DeliveryKey> again;
  void stored(std::shared_ptr<const Event> event,
              std::span<const std::string> listeners) noexcept override {
    signal.change([&] {
      if (listeners.size() == 3) events.push_back(std::move(event));
    });
  }
  void redriven(const DeliveryKey& key) noexcept override {
    signal.change([&] { again.push_back(key); });
  }
};

}  // namespace

TEST_CASE("an event is pending for each of its listeners, and its duplicates are acknowledged") {
  LedgerFixture fixture;
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

TEST_CASE("an event is read back as it came") {
  LedgerFixture fixture;
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

TEST_CASE("what was stored is told before its request is answered") {
  LedgerFixture fixture;
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

TEST_CASE("numbers rise, also over a restart after everything was purged") {
  LedgerFixture fixture;
  fixture.open();
  const EventNumber first = fixture.accept(EventRequest(1, {"a"}));
  fixture.deliver(first, "a");
  fixture.clock.advance(61s);
  REQUIRE(fixture.comes_true([&] {
    const auto found = fixture.ledger().events(fingerprint(1), 10);
    return std::get<std::vector<EventView>>(found).empty();
  }));
  fixture.open();
  CHECK(fixture.accept(EventRequest(2, {"a"})) > first);
}

TEST_CASE("deliveries end each in its own state, and are counted") {
  LedgerFixture fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1));
  fixture.deliver(event, "a");
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b PENDING", "c PENDING"});
  AttemptEnd retry;
  retry.state = State::failed;
  retry.due = fixture.clock.now() + 5s;
  retry.status = 503;
  retry.error = "busy";
  REQUIRE(fixture.end(fixture.attempt(event, "b"), retry) == Settled::done);
  const auto page = fixture.ledger().pending("b", 0, 10);
  REQUIRE(std::get<PendingPage>(page).items.size() == 1);
  CHECK(std::get<PendingPage>(page).items[0].attempts == 1);
  CHECK(std::get<PendingPage>(page).items[0].due == fixture.clock.now() + 5s);
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
  CHECK(fixture.ledger().figures().events_open == 0);
  fixture.open();
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b DEAD", "c REMOVED"});
  CHECK(fixture.figures("b").dead == 1);
}

TEST_CASE("what was not attempted uses no attempt up") {
  LedgerFixture fixture;
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

TEST_CASE("one delivery is one holder's at a time") {
  LedgerFixture fixture;
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

TEST_CASE("pages go in the order of numbers, from anywhere") {
  LedgerFixture fixture;
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
  CHECK(fixture.figures("a").oldest_pending == fixture.clock.now());
}

TEST_CASE("the window of the record begins when the last delivery has ended") {
  LedgerFixture fixture;
  fixture.open();
  const EventRequest request(1, {"a", "b"});
  const EventNumber event = fixture.accept(request);
  fixture.deliver(event, "a");
  fixture.clock.advance(24h * 365);
  CHECK(is<Completed>(fixture.reserve(request.request)));
  fixture.deliver(event, "b");
  REQUIRE(fixture.comes_true([&] { return !fixture.view(1).payload_kept; }));
  CHECK(fixture.view(1).ended == fixture.clock.now());
  CHECK(fixture.ledger().figures().payload_bytes == 0);
  fixture.clock.advance(59s);
  CHECK(is<Completed>(fixture.reserve(request.request)));
  fixture.clock.advance(2s);
  const ReserveResult anew = fixture.reserve(request.request);
  REQUIRE(is<Accepted>(anew));
  CHECK(std::get<Accepted>(anew).event > event);
}

TEST_CASE("a dead letter is kept for its retention, and is redriven until then") {
  LedgerFixture fixture;
  fixture.options.ledger.dead_retention = 1h;
  fixture.open();
  Told told;
  const EventNumber event = fixture.accept(EventRequest(1, {"a", "b"}));
  fixture.deliver(event, "a");
  CHECK(fixture.redrive(event, "a") == Redriven::conflict);
  CHECK(fixture.redrive(event, "b") == Redriven::conflict);
  fixture.deliver(event, "b", State::dead, 503);
  CHECK(fixture.redrive(event + 1, "b") == Redriven::absent);
  fixture.clock.advance(30min);
  DeliveryFilter letters;
  letters.states = {State::dead};
  const auto listed = fixture.ledger().deliveries(letters, std::nullopt, 10);
  REQUIRE(std::get<DeliveryPage>(listed).items.size() == 1);
  CHECK(std::get<DeliveryPage>(listed).items[0].key == DeliveryKey{event, "b"});
  CHECK(fixture.pending("b").empty());
  fixture.accept(EventRequest(2, {"b"}));
  fixture.ledger().watch(&told);
  CHECK(fixture.redrive(event, "b") == Redriven::done);
  CHECK(told.again == std::vector<DeliveryKey>{{event, "b"}});
  fixture.ledger().watch(nullptr);
  CHECK(fixture.pending("b") == Numbers{event, event + 1});
  CHECK(fixture.ledger().figures().events_open == 2);
  CHECK_FALSE(fixture.view(1).ended);
  CHECK(fixture.attempt(event, "b").number() == 1);
  fixture.deliver(event, "b", State::dead, 500);
  REQUIRE(fixture.comes_true([&] { return fixture.view(1).ended.has_value(); }));
  fixture.clock.advance(59min);
  CHECK(std::get<std::shared_ptr<const Event>>(fixture.ledger().event(event)) != nullptr);
  fixture.clock.advance(2min);
  REQUIRE(fixture.comes_true([&] {
    const auto found = fixture.ledger().events(fingerprint(1), 10);
    return std::get<std::vector<EventView>>(found).empty();
  }));
  CHECK(fixture.redrive(event, "b") == Redriven::absent);
  CHECK(fixture.figures("b").dead == 0);
}

TEST_CASE("a dead letter that is dropped frees its payload") {
  LedgerFixture fixture;
  fixture.open();
  const EventNumber event = fixture.accept(EventRequest(1, {"a"}));
  fixture.deliver(event, "a", State::dead);
  REQUIRE(fixture.comes_true([&] { return fixture.view(1).ended.has_value(); }));
  CHECK(fixture.view(1).payload_kept);
  CHECK(fixture.drop(event, "a") == Changed::done);
  REQUIRE(fixture.comes_true([&] { return !fixture.view(1).payload_kept; }));
  CHECK(fixture.states(1) == Words{"a REMOVED"});
  CHECK(fixture.redrive(event, "a") == Redriven::conflict);
}

TEST_CASE("a held delivery waits for an operator") {
  LedgerFixture fixture;
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

TEST_CASE("another acknowledgement is what duplicates get from then on") {
  LedgerFixture fixture;
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

TEST_CASE("an acknowledgement beside the last delivery's end takes nothing back") {
  LedgerFixture fixture;
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
  REQUIRE(fixture.comes_true([&] { return fixture.ledger().figures().payload_bytes == 0; }));
  CHECK(std::get<Completed>(fixture.reserve(request(7))).answer.body == "all");
  fixture.clock.advance(61s);
  for (std::uint64_t i = 1; i <= 50; ++i) CHECK(is<Reserved>(fixture.reserve(request(i))));
}

TEST_CASE("over the bound new events are refused, and known ones are not") {
  LedgerFixture fixture;
  fixture.options.ledger.bytes_max = 1'000;
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
  fixture.deliver(event, "a");
  REQUIRE(fixture.comes_true([&] { return fixture.ledger().figures().payload_bytes == 0; }));
  fixture.accept(more);
}

TEST_CASE("an event closes its entity, and raises its sequence, when it is stored") {
  LedgerFixture fixture;
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

TEST_CASE("what is pending for an entity that was closed is cancelled and never begun") {
  LedgerFixture fixture;
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

TEST_CASE("a redrive asks closing and sequence as a request does") {
  LedgerFixture fixture;
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

TEST_CASE("what closes an entity is not begun until an attempt is on its way") {
  LedgerFixture fixture;
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
  // A later attempt waits behind what closes.
  Waiting<BeginResult> third(hands);
  REQUIRE_FALSE(fixture.ledger().begin({event, "c"}, third));
  other.sent();
  other.sent();
  REQUIRE(hands.run_until([&] { return declined.answered(); }));
  REQUIRE(is<Reserved>(*declined.result));
  CHECK_FALSE(third.answered());
  REQUIRE(fixture.complete(std::move(std::get<Reserved>(*declined.result).permit),
                           answer(200, "")) == Settled::done);
  REQUIRE(hands.run_until([&] { return third.answered(); }));
  CHECK(std::holds_alternative<Cancelled>(*third.result));
  AttemptEnd done;
  CHECK(fixture.end(std::move(one), done) == Settled::done);
  CHECK(fixture.end(std::move(other), done) == Settled::done);
  CHECK(fixture.states(1) == Words{"a NOTIFIED", "b NOTIFIED", "c CANCELLED"});
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

TEST_CASE("none is begun after what closed its entity was answered") {
  LedgerFixture fixture;
  fixture.options.sync = Sync::none;
  fixture.open();
  constexpr std::uint64_t rounds = 200;
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
      BeginResult result = fixture.begin(event, listener);
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

TEST_CASE("the listings find by state, listener, policy and time, page by page") {
  LedgerFixture fixture;
  fixture.open();
  Numbers all;
  std::vector<WallTime> times;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    fixture.clock.advance(1h);
    times.push_back(fixture.clock.now());
    all.push_back(fixture.accept(EventRequest(i, {"a", "b"})));
  }
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
