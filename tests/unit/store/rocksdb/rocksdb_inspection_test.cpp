// What operators see of records, and how they list them.
#include "store/rocksdb/rocksdb_inspection.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "inspection_fixture.hpp"
#include "store/lease.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

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

TEST_CASE_METHOD(InspectionFixture,
                 "a reservation that is held is distinguished from one that nobody holds") {
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
