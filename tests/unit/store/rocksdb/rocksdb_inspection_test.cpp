#include "store/rocksdb/rocksdb_inspection.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "faulty_file_system.hpp"
#include "store/lease.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

struct InspectionFixture : Fixture {
  InspectionFixture() { open(); }

  Inspection& inspection() { return store->inspection(); }

  RecordPage page(const RecordFilter& filter = {},
                  const std::optional<Fingerprint>& after = std::nullopt,
                  std::size_t limit = 1'000) {
    return std::get<RecordPage>(inspection().records(filter, after, limit));
  }
  std::optional<RecordView> record(std::uint64_t number) {
    return std::get<std::optional<RecordView>>(inspection().record(fingerprint(number)));
  }
  /// As a process that dies leaves it.
  void leave_reserved(std::uint64_t number) { const Permit dropped = permit(request(number)); }
  void leave_unknown(std::uint64_t number) { mark_unknown(permit(request(number)), "no answer"); }
  void leave_completed(std::uint64_t number, int status = 201) {
    complete(permit(request(number)), answer(status, "body"));
  }
  ReserveRequest on_entity(std::uint64_t number) {
    ReserveRequest out = request(number);
    out.entity.emplace();
    out.entity->key = entity_key(1);
    out.entity->type = "ride";
    out.entity->id = "r-1";
    out.entity->turn = 0ms;
    out.entity->unless_closed = true;
    return out;
  }
  void close_entity(std::uint64_t number) {
    ReserveRequest closing = on_entity(number);
    closing.entity->closes = 1h;
    closing.entity->sequence = 7;
    complete(permit(closing), answer(200, ""));
  }
  std::optional<EntityView> entity() {
    return std::get<std::optional<EntityView>>(inspection().entity(entity_key(1)));
  }
};

}  // namespace

TEST_CASE_METHOD(InspectionFixture, "a record tells everything but what was answered") {
  const WallTime begin = clock.now();
  leave_unknown(1);
  clock.advance(1s);
  auto view = record(1);
  REQUIRE(view);
  CHECK(view->fingerprint == fingerprint(1));
  CHECK(view->state == RecordView::State::unknown);
  CHECK(view->policy == "dispatch");
  CHECK(view->request_id == request(1).request_id);
  CHECK(view->error == "no answer");
  CHECK(view->created == begin);
  CHECK(view->lease_ends == begin + 30s);
  CHECK(view->expires == begin + 24h);
  CHECK(view->attempts == 1);
  CHECK(view->fence > 0);
  CHECK_FALSE(view->status);
  CHECK_FALSE(view->held);

  leave_completed(2, 422);
  CHECK(record(2)->state == RecordView::State::completed);
  CHECK(record(2)->status == 422);
  CHECK_FALSE(record(3));
  clock.advance(25h);
  CHECK_FALSE(record(1));
}

TEST_CASE_METHOD(InspectionFixture, "who holds a reservation now is told from whom nobody holds") {
  Permit held = permit(request(1));
  CHECK(record(1)->held);
  CHECK(record(1)->state == RecordView::State::reserved);
  leave_reserved(2);
  CHECK_FALSE(record(2)->held);
  complete(std::move(held), answer(200, ""));
  CHECK_FALSE(record(1)->held);
}

TEST_CASE_METHOD(InspectionFixture, "a list goes through all records in order, page by page") {
  std::set<Fingerprint> all;
  for (std::uint64_t n = 0; n < 250; ++n) {
    leave_completed(n);
    all.insert(fingerprint(n));
  }
  // Some on disk, some in memory.
  open();
  for (std::uint64_t n = 250; n < 300; ++n) {
    leave_completed(n);
    all.insert(fingerprint(n));
  }
  std::vector<Fingerprint> listed;
  std::optional<Fingerprint> after;
  do {
    const RecordPage part = page({}, after, 70);
    CHECK(part.items.size() <= 70);
    for (const RecordView& view : part.items) listed.push_back(view.fingerprint);
    after = part.next;
  } while (after);
  CHECK(listed == std::vector<Fingerprint>(all.begin(), all.end()));
}

TEST_CASE_METHOD(InspectionFixture, "a list is by policy and state, without what has expired") {
  ReserveRequest other = request(1);
  other.policy = "alerts";
  other.terms.window = 1s;
  complete(permit(other), answer(200, ""));
  leave_completed(2);
  leave_unknown(3);
  leave_reserved(4);
  CHECK(page().items.size() == 4);
  RecordFilter filter;
  filter.policy = "alerts";
  REQUIRE(page(filter).items.size() == 1);
  CHECK(page(filter).items[0].fingerprint == fingerprint(1));
  filter.policy = "dispatch";
  filter.state = RecordView::State::unknown;
  REQUIRE(page(filter).items.size() == 1);
  CHECK(page(filter).items[0].fingerprint == fingerprint(3));
  filter.policy = "dispatc";
  CHECK(page(filter).items.empty());
  clock.advance(2s);
  CHECK(page().items.size() == 3);
}

TEST_CASE_METHOD(InspectionFixture, "a reservation that nobody holds is unknown after its lease") {
  ReserveRequest lost = request(1);
  lost.terms = {30s, 100s, OnUnknown::hold};
  Permit permit_of_lost = permit(lost);
  SECTION("its process died") {
    permit_of_lost.use();
    open();
    CHECK(record(1)->lease_ends == clock.now() + 30s);
    clock.advance(30s - 1ms);
  }
  SECTION("its permit is gone") {
    { const Permit gone = std::move(permit_of_lost); }
    CHECK(record(1)->lease_ends == clock.now() + 30s + renewal_max(30s));
    clock.advance(30s + renewal_max(30s) - 1ms);
  }
  Permit held = permit(request(2));
  RecordFilter reserved;
  reserved.state = RecordView::State::reserved;
  RecordFilter unknown;
  unknown.state = RecordView::State::unknown;
  CHECK(page(reserved).items.size() == 2);
  CHECK(page(unknown).items.empty());
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::conflict);

  clock.advance(1ms);
  REQUIRE(page(unknown).items.size() == 1);
  CHECK(page(unknown).items[0].fingerprint == fingerprint(1));
  CHECK(page(reserved).items.size() == 1);
  CHECK(record(1)->state == RecordView::State::unknown);
  CHECK_FALSE(record(1)->error.empty());
  CHECK(record(1)->expires == clock.now() + 100s);

  clock.advance(1s);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::done);
  CHECK(record(1)->state == RecordView::State::completed);
  CHECK(record(1)->expires == clock.now() + 100s);
  CHECK(record(1)->error.empty());
  CHECK(is<Completed>(reserve(lost)));
  held.use();
}

TEST_CASE_METHOD(InspectionFixture, "who is resolved after its process died keeps no turn") {
  ReserveRequest lost = on_entity(1);
  permit(lost).use();
  open();
  CHECK(is<NoTurn>(reserve(on_entity(2))));
  clock.advance(lost.terms.lease);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::done);
  CHECK(is<Reserved>(reserve(on_entity(2))));
}

TEST_CASE_METHOD(InspectionFixture, "a page looks at so much and says that more may follow") {
  tuning.scan_max = 10;
  open();
  for (std::uint64_t n = 0; n < 25; ++n) leave_completed(n);
  leave_unknown(100);
  RecordFilter filter;
  filter.state = RecordView::State::unknown;
  std::size_t found = 0;
  int pages = 0;
  std::optional<Fingerprint> after;
  do {
    const RecordPage part = page(filter, after);
    found += part.items.size();
    after = part.next;
    ++pages;
  } while (after);
  CHECK(found == 1);
  CHECK(pages == 3);
}

TEST_CASE_METHOD(InspectionFixture, "what is released is free at once") {
  leave_reserved(1);
  leave_unknown(2);
  for (const std::uint64_t number : {1, 2}) {
    CHECK(is<Held>(reserve(request(number))));
    CHECK(inspection().release(fingerprint(number)) == Changed::done);
    CHECK_FALSE(record(number));
    const ReserveResult again = reserve(request(number));
    REQUIRE(is<Reserved>(again));
    CHECK(std::get<Reserved>(again).attempt == 1);
  }
  leave_completed(3);
  CHECK(inspection().release(fingerprint(3)) == Changed::conflict);
  CHECK(is<Completed>(reserve(request(3))));
  CHECK(inspection().release(fingerprint(4)) == Changed::absent);
}

TEST_CASE_METHOD(InspectionFixture, "a release takes the reservation from whoever holds it") {
  Permit first = permit(request(1));
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  Permit second = permit(request(1));
  CHECK(complete(std::move(first), answer(200, "late")) == Settled::refused);
  CHECK(complete(std::move(second), answer(200, "right")) == Settled::done);
  const ReserveResult replay = reserve(request(1));
  CHECK(std::get<Completed>(replay).answer.body == "right");
}

TEST_CASE_METHOD(InspectionFixture,
                 "a release gives the token of a rate limit back, and the turn") {
  ReserveRequest limited = on_entity(1);
  limited.rate.emplace();
  limited.rate->key = rate_key(1);
  limited.rate->limit = 1;
  limited.rate->per = 1h;
  const Permit held = permit(limited);
  ReserveRequest next = limited;
  next.fingerprint = fingerprint(2);
  CHECK(is<NoTurn>(reserve(next)));
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  CHECK(is<Reserved>(reserve(next)));
}

TEST_CASE_METHOD(InspectionFixture, "the turn of a process that died goes with its reservation") {
  { const Permit dropped = permit(on_entity(1)); }
  CHECK(is<NoTurn>(reserve(on_entity(2))));
  CHECK(entity()->holder == fingerprint(1));
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  CHECK(is<Reserved>(reserve(on_entity(2))));
}

TEST_CASE_METHOD(InspectionFixture, "what is resolved counts as done, with nothing to replay") {
  leave_unknown(1);
  clock.advance(1h);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::done);
  const ReserveResult again = reserve(request(1));
  REQUIRE(is<Completed>(again));
  CHECK_FALSE(std::get<Completed>(again).answer.replayable);
  CHECK(std::get<Completed>(again).answer.not_kept == NotKept::resolved);
  CHECK(record(1)->not_kept == NotKept::resolved);
  CHECK(record(1)->state == RecordView::State::completed);
  CHECK_FALSE(record(1)->status);
  CHECK(record(1)->error.empty());
  // For a window from now.
  CHECK(record(1)->expires == clock.now() + 24h);

  leave_reserved(2);
  leave_completed(3);
  CHECK(inspection().resolve(fingerprint(2), {}) == Changed::conflict);
  CHECK(inspection().resolve(fingerprint(3), {}) == Changed::conflict);
  CHECK(inspection().resolve(fingerprint(4), {}) == Changed::absent);
  CHECK(is<Held>(reserve(request(2))));
}

TEST_CASE_METHOD(InspectionFixture, "what is resolved with an answer gives that to duplicates") {
  // Within the record, and apart from it.
  const std::string body(GENERATE(std::size_t{10}, std::size_t{100'000}), 'x');
  leave_unknown(1);
  CHECK(inspection().resolve(fingerprint(1), StoredAnswer{201, "A: b\r\n", body}) == Changed::done);
  for (int opened = 0; opened < 2; ++opened) {
    const ReserveResult again = reserve(request(1));
    REQUIRE(is<Completed>(again));
    const StoredAnswer& given = std::get<Completed>(again).answer;
    CHECK(given.replayable);
    CHECK(given.status == 201);
    CHECK(given.head == "A: b\r\n");
    CHECK(given.body == body);
    CHECK(record(1)->status == 201);
    CHECK_FALSE(record(1)->not_kept);
    open();
  }
}

TEST_CASE_METHOD(InspectionFixture, "a record tells what it is about, and is listed by it") {
  ReserveRequest asks = on_entity(1);
  asks.path = "/v1/rides/r-1/dispatch";
  complete(permit(asks), answer(200, ""));
  ReserveRequest other = request(2);
  other.path = "/v1/jobs/7";
  mark_unknown(permit(other), "timeout");
  for (int opened = 0; opened < 2; ++opened) {
    const auto view = record(1);
    REQUIRE(view);
    CHECK(view->path == "/v1/rides/r-1/dispatch");
    CHECK(view->entity_type == "ride");
    CHECK(view->entity_id == "r-1");
    CHECK(record(2)->path == "/v1/jobs/7");
    CHECK(record(2)->entity_type.empty());
    RecordFilter filter;
    filter.subject = {"", "ride", "r-1"};
    REQUIRE(page(filter).items.size() == 1);
    CHECK(page(filter).items[0].fingerprint == fingerprint(1));
    filter.subject = {"/v1/*", "", ""};
    CHECK(page(filter).items.size() == 2);
    filter.subject = {"/v1/jobs", "", ""};
    CHECK(page(filter).items.empty());
    open();
  }
}

TEST_CASE_METHOD(InspectionFixture, "a list is by the age of what it holds") {
  leave_unknown(1);
  clock.advance(4min);
  leave_unknown(2);
  clock.advance(1min);
  RecordFilter filter;
  filter.older_than = 5min;
  REQUIRE(page(filter).items.size() == 1);
  CHECK(page(filter).items[0].fingerprint == fingerprint(1));
  filter.older_than = 1min;
  CHECK(page(filter).items.size() == 2);
  filter.older_than = 1h;
  CHECK(page(filter).items.empty());
}

TEST_CASE(
    "while an operator decides, a request is told to come back and not that it is in flight") {
  FaultyEnvironment environment;
  Fixture fixture;
  fixture.tuning.over = environment.over;
  fixture.open();
  fixture.mark_unknown(fixture.permit(request(1)));
  fixture.clock.advance(31s);
  FaultyFileSystem& files = *environment.files;
  const int syncs = files.log_syncs;
  files.log_sync_waits = true;
  Changed resolved = Changed::failed;
  std::thread resolving(
      [&] { resolved = fixture.store->inspection().resolve(fingerprint(1), {}); });
  CHECK(files.log_synced.wait([&] { return files.log_syncs > syncs; }));
  const ReserveResult meanwhile = fixture.reserve(request(1));
  CHECK(is<Held>(meanwhile));
  if (const auto* const held = std::get_if<Held>(&meanwhile)) CHECK(held->lease_left);
  files.log_sync_waits = false;
  files.log_sync_waits.notify_all();
  resolving.join();
  CHECK(resolved == Changed::done);
  CHECK(is<Completed>(fixture.reserve(request(1))));
}

TEST_CASE_METHOD(InspectionFixture, "what is forgotten never was, unless somebody holds it") {
  leave_completed(1);
  complete(permit(request(2)), answer(200, std::string(100'000, 'x')));
  leave_unknown(3);
  leave_reserved(4);
  for (const std::uint64_t number : {1, 2, 3, 4}) {
    CHECK(inspection().forget(fingerprint(number)) == Changed::done);
    CHECK_FALSE(record(number));
    CHECK(is<Reserved>(reserve(request(number))));
  }
  const Permit held = permit(request(5));
  CHECK(inspection().forget(fingerprint(5)) == Changed::conflict);
  CHECK(record(5)->held);
  CHECK(inspection().forget(fingerprint(6)) == Changed::absent);
}

TEST_CASE_METHOD(InspectionFixture, "changes are on disk") {
  leave_unknown(1);
  leave_unknown(2);
  leave_completed(3);
  CHECK(inspection().release(fingerprint(1)) == Changed::done);
  CHECK(inspection().resolve(fingerprint(2), {}) == Changed::done);
  CHECK(inspection().forget(fingerprint(3)) == Changed::done);
  open();
  CHECK_FALSE(record(1));
  CHECK(record(2)->state == RecordView::State::completed);
  CHECK_FALSE(record(3));
}

TEST_CASE_METHOD(InspectionFixture, "duplicates are counted, at once and across a restart") {
  leave_completed(1);
  for (int i = 0; i < 3; ++i) CHECK(is<Completed>(reserve(request(1))));
  CHECK(record(1)->duplicates == 3);
  CHECK(record(1)->last_duplicate == clock.now());
  leave_completed(2);
  CHECK(record(2)->duplicates == 0);
  CHECK_FALSE(record(2)->last_duplicate);
  clock.advance(1min);
  {
    const Permit held = permit(request(3));
    CHECK(is<InFlight>(reserve(request(3))));
    CHECK(record(3)->duplicates == 1);
  }

  // The next tick writes them, or the end does.
  open();
  CHECK(record(1)->duplicates == 3);
  CHECK(is<Completed>(reserve(request(1))));
  CHECK(record(1)->duplicates == 4);
  CHECK(record(1)->last_duplicate == clock.now());
}

TEST_CASE_METHOD(InspectionFixture, "an earlier operation's duplicates are not the next one's") {
  ReserveRequest brief = request(1);
  brief.terms.window = 1s;
  brief.terms.lease = 1s;
  complete(permit(brief), answer(200, ""));
  CHECK(is<Completed>(reserve(brief)));
  CHECK(record(1)->duplicates == 1);
  clock.advance(2s);
  complete(permit(brief), answer(200, ""));
  CHECK(record(1)->duplicates == 0);
  CHECK(is<Completed>(reserve(brief)));
  CHECK(record(1)->duplicates == 1);
}

TEST_CASE_METHOD(InspectionFixture, "an entity tells what is known of it") {
  CHECK_FALSE(entity());
  close_entity(1);
  auto view = entity();
  REQUIRE(view);
  CHECK(view->type == "ride");
  CHECK(view->id == "r-1");
  CHECK(view->closed_until == clock.now() + 1h);
  CHECK(view->sequence == 7);
  CHECK_FALSE(view->holder);
  CHECK(view->waiting == 0);

  ReserveRequest turn = on_entity(2);
  turn.entity->unless_closed = false;
  const Permit held = permit(turn);
  CHECK(entity()->holder == fingerprint(2));
}

TEST_CASE_METHOD(InspectionFixture, "an entity that is opened lets operations through again") {
  CHECK(inspection().open(entity_key(1)) == Changed::absent);
  close_entity(1);
  CHECK(is<Closed>(reserve(on_entity(2))));
  CHECK(inspection().open(entity_key(1)) == Changed::done);
  CHECK(inspection().open(entity_key(1)) == Changed::conflict);
  CHECK_FALSE(entity()->closed_until);
  CHECK(entity()->sequence == 7);
  open();
  CHECK_FALSE(entity()->closed_until);
  CHECK(is<Reserved>(reserve(on_entity(2))));
}

TEST_CASE_METHOD(InspectionFixture, "an entity is opened though somebody has its turn") {
  close_entity(1);
  ReserveRequest turn = on_entity(2);
  turn.entity->unless_closed = false;
  Permit held = permit(turn);
  CHECK(inspection().open(entity_key(1)) == Changed::done);
  complete(std::move(held), answer(200, ""));
  CHECK_FALSE(entity()->closed_until);
  open();
  CHECK_FALSE(entity()->closed_until);
}

TEST_CASE_METHOD(InspectionFixture, "a store that is closed changes nothing and says so") {
  leave_unknown(1);
  store->close();
  CHECK(inspection().release(fingerprint(1)) == Changed::failed);
  CHECK(inspection().resolve(fingerprint(1), {}) == Changed::failed);
  CHECK(inspection().forget(fingerprint(1)) == Changed::failed);
  CHECK(inspection().open(entity_key(1)) == Changed::failed);
  CHECK(std::holds_alternative<Unreadable>(inspection().record(fingerprint(1))));
  CHECK(std::holds_alternative<Unreadable>(inspection().records({}, std::nullopt, 10)));
}
